"""What no agent can be given ends with a sentence, instead of taking one agent after the other off the server."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Connection

from tailrace.domain.plan import JobSpec, Retry
from tailrace.store.logs import find_log
from tailrace.store.oversize import end_oversize, is_oversize
from tailrace.store.runs import create_run, get_run
from tests.unit.store.world import a_job, an_agent, lease, new_run, start, states

MIB = 2**20


def a_run(connection: Connection, *jobs: JobSpec, variables: dict[str, str] | None = None) -> int:
    return create_run(connection, replace(new_run(connection, jobs), variables=variables or {}))


@pytest.mark.parametrize(
    ("own", "of_run", "most"),
    [
        ("", "x" * 9 * MIB, "9.0 of them are the variables of its run"),
        ("\0x" * 2 * MIB, "", "14.0 of them are its own variables and steps"),
    ],
)
def test_it_ends_as_it_is_leased_and_is_not_tried_again(
    connection: Connection, own: str, of_run: str, most: str
) -> None:
    """As JSON has it: what it cannot hold as it is takes six bytes."""
    agent = an_agent(connection)
    job = a_job("big").model_copy(
        update={"variables": {"A": own}, "retry": Retry(max=3, on=("setup_failed",))}
    )
    always = a_job("tidy", ["big"]).model_copy(update={"condition": "always"})
    run = a_run(connection, job, always, variables={"B": of_run})
    (leased,) = lease(connection, agent)
    assert is_oversize(leased)
    ended = end_oversize(connection, leased)
    assert ended is not None
    assert (ended.run_id, ended.queued) == (run, True)
    shown = get_run(connection, run)
    assert states(shown) == {"run": "running", "big": "failed", "tidy": "pending"}
    (attempt,) = shown.jobs[0].attempts
    assert (attempt.state, attempt.reason, attempt.agent) == ("failed", "setup_failed", None)
    assert "MiB of text, and an agent can be given 8" in (attempt.detail or "")
    assert most in (attempt.detail or "")
    log = find_log(connection, leased.log)
    assert log is not None
    assert log.state == "closed"


def test_what_fits_is_given(connection: Connection) -> None:
    """Secrets have room beside it."""
    agent = an_agent(connection)
    a_run(connection, a_job("a"), variables={"A": "x" * 7 * MIB})
    (leased,) = lease(connection, agent)
    assert not is_oversize(leased)


def test_what_has_begun_goes_on(connection: Connection) -> None:
    """Whoever has it has it."""
    agent = an_agent(connection)
    run = a_run(connection, a_job("a"), variables={"A": "x" * 9 * MIB})
    (leased,) = lease(connection, agent)
    start(connection, agent, leased.attempt)
    assert end_oversize(connection, leased) is None
    assert states(get_run(connection, run)) == {"run": "running", "a": "running"}
