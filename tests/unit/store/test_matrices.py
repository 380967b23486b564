"""The jobs of a matrix in a run: those that need it wait for all of them, and its outcome is the worst of theirs."""

from __future__ import annotations

from sqlalchemy import Connection

from tailrace.domain.plan import parse_plan
from tailrace.domain.states import AttemptState
from tailrace.store.runs import create_run, get_run
from tests.unit.store.world import an_agent, finish, lease, new_run, start, states

PLAN = parse_plan("""
jobs:
  test:
    matrix: {os: [linux, mac]}
    checkout: false
    steps: [{run: make}]
  publish:
    needs: test
    steps: [{run: make publish}]
  tell:
    needs: test
    if: needs.test.outcome == "failed" and always
    steps: [{run: make tell, if: needs.test.outcome == "failed"}]
  mac:
    matrix: {os: [mac, linux]}
    if: matrix.os == "mac"
    steps: [{run: make}]
""")


def test_who_needs_a_matrix_waits_for_all_of_its_jobs(connection: Connection) -> None:
    """One that failed is the outcome of all, and a condition is asked with the job's own values."""
    run = create_run(connection, new_run(connection, None, plan=PLAN))
    agent = an_agent(connection)
    first = {one.job.name: one.attempt for one in lease(connection, agent, free=9)}
    assert set(first) == {"test (linux)", "test (mac)", "mac (mac)"}
    for attempt in first.values():
        start(connection, agent, attempt)
    finish(connection, agent, first["test (linux)"], AttemptState.PASSED)
    assert states(get_run(connection, run))["tell"] == "waiting"
    finish(connection, agent, first["test (mac)"], AttemptState.FAILED)
    shown = states(get_run(connection, run))
    assert (shown["publish"], shown["tell"], shown["mac (linux)"]) == ("skipped", "pending", "skipped")
    (tell,) = lease(connection, agent)
    assert {name: need.outcome for name, need in tell.needs.items()} == {
        "test (linux)": "passed",
        "test (mac)": "failed",
    }
