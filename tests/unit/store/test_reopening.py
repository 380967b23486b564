"""People let a run go on: another attempt at jobs that failed, and what was waiting for them waits again."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection

from tailrace.domain.errors import Conflict, MoveRefused, NotFound
from tailrace.domain.plan import Concurrency, JobSpec
from tailrace.domain.states import AttemptState
from tailrace.store.aborts import abort_run
from tailrace.store.planning import end_planning
from tailrace.store.reopening import retry_failed, retry_job
from tailrace.store.runs import create_run, get_run
from tailrace.store.turns import turn_of
from tests.unit.store.world import (
    a_job,
    a_plan,
    a_planning_run,
    a_run,
    an_agent,
    finish,
    jobs_by_name,
    lease,
    new_run,
    planned,
    start,
    states,
)

FAILED = AttemptState.FAILED


def carry(connection: Connection, agent: int, outcomes: dict[str, AttemptState]) -> list[str]:
    """Lease and end what is queued until nothing is; the names of the jobs. What is not named passes."""
    names: list[str] = []
    while held := lease(connection, agent):
        start(connection, agent, held[0].attempt)
        finish(connection, agent, held[0].attempt, outcomes.get(held[0].job.name, AttemptState.PASSED))
        names.append(held[0].job.name)
    return names


def test_a_failed_job_gets_another_attempt_in_its_run(connection: Connection) -> None:
    """What was skipped because of it follows; what passed is not touched; the earlier attempt stays as it was."""
    agent = an_agent(connection)
    run = a_run(connection, a_job("a"), a_job("b"), a_job("c", needs=["b"]), a_job("d", needs=["c", "a"]))
    assert carry(connection, agent, {"b": FAILED}) == ["a", "b"]
    before = jobs_by_name(connection, run)
    assert retry_job(connection, before["b"].id) == run
    shown = get_run(connection, run)
    assert states(shown) == {"run": "running", "a": "passed", "b": "pending", "c": "waiting", "d": "waiting"}
    assert (shown.reason, shown.detail, shown.finished_at) == (None, None, None)
    assert carry(connection, agent, {}) == ["b", "c", "d"]
    shown = get_run(connection, run)
    assert shown.state == "passed"
    assert shown.finished_at is not None
    after = jobs_by_name(connection, run)
    assert after["a"] == before["a"]
    assert after["b"].attempts[0] == before["b"].attempts[0]
    assert [(one.number, one.state) for one in after["b"].attempts] == [(1, "failed"), (2, "passed")]
    assert after["b"].attempts[0].log != after["b"].attempts[1].log
    assert (after["b"].reason, after["b"].detail) == (None, None)


def test_it_can_fail_again_and_be_tried_again(connection: Connection) -> None:
    """The run ends each time."""
    agent = an_agent(connection)
    run = a_run(connection)
    carry(connection, agent, {"test": FAILED})
    job = jobs_by_name(connection, run)["test"].id
    for number in (2, 3):
        retry_job(connection, job)
        assert carry(connection, agent, {"test": FAILED}) == ["test"]
        shown = get_run(connection, run)
        assert (shown.state, shown.jobs[0].attempts[-1].number) == ("failed", number)
        assert shown.jobs[0].reason == "exit_code"


def test_a_job_that_failed_beside_others_that_run(connection: Connection) -> None:
    """The run has not ended, and goes on."""
    agent = an_agent(connection)
    run = a_run(connection, a_job("a"), a_job("b"))
    first, second = lease(connection, agent, free=2)
    start(connection, agent, first.attempt)
    start(connection, agent, second.attempt)
    finish(connection, agent, first.attempt, FAILED)
    retry_job(connection, jobs_by_name(connection, run)["a"].id)
    assert states(get_run(connection, run)) == {"run": "running", "a": "pending", "b": "running"}
    finish(connection, agent, second.attempt)
    carry(connection, agent, {})
    assert get_run(connection, run).state == "passed"


def test_all_that_failed_or_was_aborted_is_tried_again(connection: Connection) -> None:
    """An aborted run too: what never began waits for what it needs."""
    agent = an_agent(connection)
    run = a_run(connection, a_job("a"), a_job("b", needs=["a"]), a_job("c"))
    held = lease(connection, agent, free=2)
    for one in held:
        start(connection, agent, one.attempt)
    finish(connection, agent, held[1].attempt)
    abort_run(connection, run, "Ada")
    finish(connection, agent, held[0].attempt, AttemptState.ABORTED)
    assert states(get_run(connection, run)) == {
        "run": "aborted",
        "a": "aborted",
        "b": "aborted",
        "c": "passed",
    }
    retry_failed(connection, run)
    assert states(get_run(connection, run)) == {
        "run": "running",
        "a": "pending",
        "b": "waiting",
        "c": "passed",
    }
    assert carry(connection, agent, {}) == ["a", "b"]
    assert get_run(connection, run).state == "passed"


def test_what_still_cannot_begin_is_skipped_again(connection: Connection) -> None:
    """It needs another job that failed and is not tried again."""
    agent = an_agent(connection)
    run = a_run(connection, a_job("a"), a_job("b"), a_job("c", needs=["a", "b"]))
    carry(connection, agent, {"a": FAILED, "b": FAILED})
    retry_job(connection, jobs_by_name(connection, run)["a"].id)
    assert states(get_run(connection, run))["c"] == "skipped"
    assert carry(connection, agent, {}) == ["a"]
    assert states(get_run(connection, run)) == {"run": "failed", "a": "passed", "b": "failed", "c": "skipped"}


def with_condition(job: JobSpec, condition: str, **more: Any) -> JobSpec:
    return job.model_copy(update={"condition": condition, **more})


@pytest.mark.parametrize("whole", [True, False])
def test_what_ran_because_of_a_failure_runs_again(connection: Connection, whole: bool) -> None:
    """However it ended; what needs it in turn too. What needs none of them is not touched."""
    agent = an_agent(connection)
    run = a_run(
        connection,
        a_job("build"),
        a_job("deploy", ["build"]),
        with_condition(a_job("tidy", ["deploy"]), "always"),
        with_condition(a_job("alarm", ["deploy"]), "failure"),
        a_job("report", ["tidy"]),
    )
    assert carry(connection, agent, {"deploy": FAILED}) == ["build", "deploy", "tidy", "alarm", "report"]
    if whole:
        retry_failed(connection, run)
    else:
        retry_job(connection, jobs_by_name(connection, run)["deploy"].id)
    assert states(get_run(connection, run)) == {
        "run": "running",
        "build": "passed",
        "deploy": "pending",
        "tidy": "waiting",
        "alarm": "waiting",
        "report": "waiting",
    }
    assert carry(connection, agent, {}) == ["deploy", "tidy", "report"]
    assert states(get_run(connection, run)) == {
        "run": "passed",
        "build": "passed",
        "deploy": "passed",
        "tidy": "passed",
        "alarm": "skipped",
        "report": "passed",
    }


def test_what_has_not_ended_is_left_as_it_is(connection: Connection) -> None:
    """It needs a job whose failure is allowed, and runs while that is tried again."""
    agent = an_agent(connection)
    lint = a_job("lint").model_copy(update={"allow_failure": True})
    run = a_run(connection, lint, a_job("test", ["lint"]))
    (held,) = lease(connection, agent)
    start(connection, agent, held.attempt)
    finish(connection, agent, held.attempt, FAILED)
    (running,) = lease(connection, agent)
    start(connection, agent, running.attempt)
    retry_job(connection, jobs_by_name(connection, run)["lint"].id)
    assert states(get_run(connection, run)) == {"run": "running", "lint": "pending", "test": "running"}
    finish(connection, agent, running.attempt)
    assert carry(connection, agent, {}) == ["lint"]
    assert get_run(connection, run).state == "passed"


@pytest.mark.parametrize("outcome", [AttemptState.PASSED, None])
def test_only_what_failed_or_was_aborted_is_tried_again(
    connection: Connection, outcome: AttemptState | None
) -> None:
    """Not a job that passed, and none that has not ended."""
    agent = an_agent(connection)
    run = a_run(connection)
    if outcome is not None:
        carry(connection, agent, {"test": outcome})
    with pytest.raises(MoveRefused):
        retry_job(connection, jobs_by_name(connection, run)["test"].id)
    with pytest.raises(MoveRefused):
        retry_failed(connection, run)


def test_what_is_not_there_is_named(connection: Connection) -> None:
    """A run that could not be planned has no jobs to try again."""
    with pytest.raises(NotFound):
        retry_job(connection, 999999)
    with pytest.raises(NotFound):
        retry_failed(connection, 999999)
    run = a_planning_run(connection)
    end_planning(connection, run, "fail", "plan_invalid", "x")
    with pytest.raises(Conflict, match="before it had jobs"):
        retry_failed(connection, run)


def test_a_run_that_goes_on_takes_its_turn_behind_the_others(connection: Connection) -> None:
    """Never two of its group at once, and those that come later come behind it."""
    plan, agent = a_plan(connection), an_agent(connection)
    group = planned(a_job("a"), a_job("b"), concurrency=Concurrency(group="deploy"))

    def next_run() -> int:
        return create_run(connection, new_run(connection, None, plan_id=plan, plan=group))

    first = next_run()
    assert carry(connection, agent, {"b": FAILED}) == ["a", "b"]
    second = next_run()
    third = next_run()
    retry_failed(connection, first)
    fourth = next_run()
    shown = get_run(connection, first)
    assert states(shown) == {"run": "pending", "a": "passed", "b": "waiting"}
    turn = turn_of(connection, first)
    assert turn is not None
    assert turn.holders == (second,)
    order: list[int] = []
    while held := lease(connection, agent, free=9):
        assert len({one.run for one in held}) == 1
        order.append(held[0].run)
        for one in held:
            finish(connection, agent, one.attempt)
    assert order == [second, third, first, fourth]
    assert get_run(connection, first).state == "passed"


def test_a_newer_run_supersedes_one_that_goes_on(connection: Connection) -> None:
    """As any other that has not ended."""
    plan = a_plan(connection)
    group = planned(a_job("a"), concurrency=Concurrency(group="x", cancel_superseded=True))
    first = create_run(connection, new_run(connection, None, plan_id=plan, plan=group))
    carry(connection, an_agent(connection), {"a": FAILED})
    retry_failed(connection, first)
    second = create_run(connection, new_run(connection, None, plan_id=plan, plan=group))
    shown = get_run(connection, first)
    assert (shown.state, shown.reason) == ("aborted", "superseded_by")
    assert turn_of(connection, second) is None
