"""Runs that people ask for again, of a plan that asks for something else now."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from tailrace.domain.errors import Invalid
from tailrace.domain.events import Event, EventKind
from tailrace.domain.parameters import unasked
from tailrace.domain.plan import parse_plan
from tailrace.domain.slots import Slots
from tailrace.store.planning import Resolved, claim_planning, plan_run
from tailrace.store.plans import change_plan, create_plan
from tailrace.store.run_secrets import SealedValue, run_secrets
from tailrace.store.runs import NewRun, create_run, get_run
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


def test_at_a_newer_commit_the_defaults_are_those_of_its_plan(connection: Connection) -> None:
    """What nobody said is no answer to another question; what somebody said is."""
    project = a_project(connection)
    plan = create_plan(connection, project, "default", path=".tailrace.yml").id
    push = Event(
        kind=EventKind.CHANGE, ref="refs/heads/main", branch="main", revision="a" * 40, values={"SAID": "x"}
    )
    run = create_run(connection, NewRun(plan, project, push, "url"))
    (work,) = claim_planning(connection, "here", 60_000, Slots(1, 1, 1))
    text = "parameters: {SAID: {}, OWN: old}\n" + JOBS
    resolved = Resolved("a" * 40, "refs/heads/main", "main", "Title", "Eve")
    asked = parse_plan(text)
    assert plan_run(connection, work, text, asked, resolved, unasked(asked.parameters, push.values))
    assert get_run(connection, run).variables == {"SAID": "x", "OWN": "old"}
    newer = start_again(connection, run, by="lee", newest_revision=True)
    assert get_run(connection, newer).variables == {"SAID": "x"}
    assert get_run(connection, start_again(connection, run, by="lee")).variables == {
        "SAID": "x",
        "OWN": "old",
    }


def test_a_newer_plan_that_asks_for_the_secret_gets_it(connection: Connection) -> None:
    plan, run = a_run(connection)
    change_plan(connection, plan, definition="parameters: {OTP: {type: secret}}\n" + JOBS, author="kim")
    assert set(run_secrets(connection, again(connection, run))) == {"OTP"}
    change_plan(connection, plan, definition="parameters: {OTP: {default: x}}\n" + JOBS, author="kim")
    assert run_secrets(connection, again(connection, run)) == {}, "it asks for a text of that name"
