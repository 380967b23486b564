"""Runs that people ask for again, of a plan that asks for something else now."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from tailrace.domain.errors import Invalid
from tailrace.store.plans import change_plan
from tailrace.store.run_secrets import SealedValue, run_secrets
from tailrace.store.runs import get_run
from tailrace.triggers.manual import Given, start_again, start_manual
from tests.unit.store.world import a_project
from tests.unit.triggers.plans import a_plan

JOBS = "jobs: {make: {checkout: false, steps: [{run: make}]}}\n"
FIRST = "parameters: {GONE: x, KEPT: {type: choice, choices: [a, b]}, OTP: {type: secret}}\n" + JOBS


def a_run(connection: Connection) -> tuple[int, int]:
    """A plan, and a run of it whose questions were answered; with a variable that answers none."""
    plan = a_plan(connection, a_project(connection), definition=FIRST)
    otp = Given("one-time-one", SealedValue("5" * 32, b"sealed"))
    given = {
        "GONE": Given("y", SealedValue("6" * 32, b"")),
        "KEPT": Given("b", SealedValue("7" * 32, b"")),
        "OTP": otp,
    }
    return plan, start_manual(
        connection, plan, revision=None, variables={"EXTRA": "z"}, parameters=given, by="kim"
    )


def again(connection: Connection, run: int) -> int:
    return start_again(connection, run, by="lee", newest_plan=True)


def test_what_a_newer_plan_does_not_ask_for_is_left_behind(connection: Connection) -> None:
    """A secret too: its job may be another's now."""
    plan, run = a_run(connection)
    assert get_run(connection, run).variables == {"EXTRA": "z", "GONE": "y", "KEPT": "b"}
    assert set(run_secrets(connection, run)) == {"OTP"}
    change_plan(connection, plan, definition="parameters: {KEPT: {}, NEW: n}\n" + JOBS, author="kim")
    made = again(connection, run)
    assert get_run(connection, made).variables == {"EXTRA": "z", "KEPT": "b", "NEW": "n"}
    assert run_secrets(connection, made) == {}
    assert set(run_secrets(connection, start_again(connection, run, by="lee"))) == {"OTP"}, (
        "the same plan has it"
    )


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ("{NEW: {}}", "parameter NEW is missing, and has no default"),
        ("{KEPT: {type: choice, choices: [a, c]}}", "parameter KEPT must be a or c; found 'b'"),
    ],
)
def test_what_a_newer_plan_asks_for_and_the_run_has_not_is_told(
    connection: Connection, parameters: str, why: str
) -> None:
    plan, run = a_run(connection)
    change_plan(connection, plan, definition=f"parameters: {parameters}\n{JOBS}", author="kim")
    with pytest.raises(Invalid) as refused:
        again(connection, run)
    assert str(refused.value) == why


def test_a_newer_plan_that_asks_for_the_secret_gets_it(connection: Connection) -> None:
    plan, run = a_run(connection)
    change_plan(connection, plan, definition="parameters: {OTP: {type: secret}}\n" + JOBS, author="kim")
    assert set(run_secrets(connection, again(connection, run))) == {"OTP"}
