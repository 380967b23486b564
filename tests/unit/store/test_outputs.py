"""Conditions of jobs, and what jobs give to those that need them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection

from tailrace.dispatch.why import explain, what_holds
from tailrace.domain.events import EventKind
from tailrace.domain.facts import Finished
from tailrace.domain.lease import Need
from tailrace.domain.outcome import Outcome, Reason
from tailrace.domain.plan import JobSpec, Retry, RunStep
from tailrace.domain.states import AttemptState
from tailrace.store.facts import apply_fact
from tailrace.store.runs import get_run
from tests.unit.store.world import (
    PUSH,
    a_job,
    a_run,
    an_agent,
    finish,
    finished,
    jobs_by_name,
    lease,
    start,
    states,
)


def taking(name: str, *needs: str, text: str = "", **more: Any) -> JobSpec:
    """A job whose step names something."""
    return a_job(name, needs).model_copy(
        update={"steps": (RunStep(name="take", run="make", env={"A": text}),), **more}
    )


def give(connection: Connection, agent: int, attempt: int, **outputs: str) -> None:
    end = Finished(
        time=2**50, outcome=Outcome(state=AttemptState.PASSED, exit_code=0), size=0, crc32=0, outputs=outputs
    )
    apply_fact(connection, agent, attempt, end)


def test_what_waits_for_several_jobs_waits_for_those_that_have_not_ended(connection: Connection) -> None:
    """What has ended it waits for no longer, and does not say so."""
    run = a_run(connection, a_job("build"), a_job("lint"), a_job("deploy", ["build", "lint"]))
    deploy = jobs_by_name(connection, run)["deploy"]
    assert explain(deploy, (), what_holds(connection, run)) == "waits for build, lint"
    agent = an_agent(connection)
    build, lint = lease(connection, agent, free=2)
    finish(connection, agent, build.attempt)
    start(connection, agent, lint.attempt)
    assert explain(deploy, (), what_holds(connection, run)) == "waits for lint"


def test_a_job_gets_what_it_names_of_those_it_needs(connection: Connection) -> None:
    """Nothing else, and nothing of jobs that it does not name."""
    a_run(
        connection,
        a_job("build"),
        a_job("lint"),
        taking("deploy", "build", "lint", text="${needs.build.outputs.tag}"),
        taking("plain", "build"),
    )
    agent = an_agent(connection)
    build, lint = lease(connection, agent, free=2)
    assert (build.needs, build.event) == ({}, "push")
    give(connection, agent, build.attempt, tag="v1", other="x")
    give(connection, agent, lint.attempt, tag="no")
    held = {one.job.name: one for one in lease(connection, agent, free=2)}
    assert held["deploy"].needs == {"build": Need(outcome="passed", outputs={"tag": "v1"})}
    assert held["plain"].needs == {}


def test_outputs_are_those_of_the_newest_attempt(connection: Connection) -> None:
    """One that failed before may have given others."""
    retried = a_job("build").model_copy(update={"retry": Retry(max=1, on=("exit_code",))})
    a_run(connection, retried, taking("deploy", "build", text="${needs.build.outputs.tag}"))
    agent = an_agent(connection)
    (first,) = lease(connection, agent)
    failed = finished(AttemptState.FAILED).model_copy(update={"outputs": {"tag": "old"}})
    apply_fact(connection, agent, first.attempt, failed)
    (second,) = lease(connection, agent)
    assert second.number == 2
    give(connection, agent, second.attempt, tag="new")
    (deploy,) = lease(connection, agent)
    assert deploy.needs["build"].outputs == {"tag": "new"}
    build = jobs_by_name(connection, deploy.run)["build"]
    assert [attempt.outputs for attempt in build.attempts] == [{"tag": "old"}, {"tag": "new"}]
    assert jobs_by_name(connection, deploy.run)["deploy"].attempts[0].outputs == {}


@pytest.mark.parametrize(
    ("change", "ran"),
    [
        ({}, {"of_branch"}),
        ({"ref": "refs/tags/main", "kind": EventKind.TAG}, {"of_tag"}),
        ({"ref": "refs/pull/7/head", "kind": EventKind.PULL_REQUEST}, {"of_head"}),
        ({"ref": "refs/pull/7/head", "kind": EventKind.PULL_REQUEST, "from_fork": True}, {"of_head"}),
    ],
)
def test_nobody_s_tag_or_branch_called_main_is_main(
    connection: Connection, change: dict[str, Any], ran: set[str]
) -> None:
    """Most pull requests from forks come from their main: a job for main alone must not be of their run."""
    jobs = [
        a_job(f"of_{name}").model_copy(update={"condition": f'{name} == "main"'})
        for name in ("branch", "tag", "head")
    ]
    run = a_run(connection, *jobs, event=PUSH.model_copy(update=change))
    assert {job.name for job in get_run(connection, run).jobs if job.state != "skipped"} == ran


def test_a_job_whose_condition_does_not_hold_is_skipped_at_once(connection: Connection) -> None:
    """The run is pending as long as nothing has begun, and skipped when nothing can."""
    only = a_job("deploy").model_copy(update={"condition": 'branch == "release"'})
    run = a_run(connection, a_job("test"), only, a_job("after", needs=["deploy"]))
    assert states(get_run(connection, run)) == {
        "run": "pending", "test": "pending", "deploy": "skipped", "after": "skipped",
    }  # fmt: skip
    jobs = jobs_by_name(connection, run)
    assert jobs["deploy"].reason == Reason.CONDITION_NOT_MET
    assert jobs["deploy"].detail == 'its condition does not hold: `branch == "release"` (branch is "main")'
    assert jobs["after"].reason == Reason.NEEDS_FAILED
    assert states(get_run(connection, a_run(connection, only))) == {"run": "skipped", "deploy": "skipped"}


def test_a_condition_names_all_that_the_run_knows(connection: Connection) -> None:
    """Each of them, as it is."""
    holds = (
        "event == 'push' and ref == 'refs/heads/main' and plan == 'default' and project != '' "
        f"and revision == '{'a' * 40}' and variables.KIND == 'of the job' and variables.NONE == ''"
    )
    job = a_job("job").model_copy(update={"condition": holds, "variables": {"KIND": "of the job"}})
    run = a_run(connection, job)
    assert states(get_run(connection, run))["job"] == "pending"


def test_a_condition_on_what_a_job_gave(connection: Connection) -> None:
    """Known when it has ended."""
    build = a_job("build")
    yes = a_job("yes", ["build"]).model_copy(update={"condition": "needs.build.outputs.kind == 'big'"})
    no = a_job("no", ["build"]).model_copy(update={"condition": "needs.build.outputs.kind == 'small'"})
    run = a_run(connection, build, yes, no)
    agent = an_agent(connection)
    (held,) = lease(connection, agent)
    give(connection, agent, held.attempt, kind="big")
    assert states(get_run(connection, run)) == {
        "run": "running", "build": "passed", "yes": "pending", "no": "skipped",
    }  # fmt: skip
    assert '(needs.build.outputs.kind is "big")' in (jobs_by_name(connection, run)["no"].detail or "")


def test_a_job_for_failures(connection: Connection) -> None:
    """It runs after one, and the run has failed all the same; after a success it is skipped."""
    tell = a_job("tell", ["test"]).model_copy(update={"condition": "failure"})
    for end, job, run_state in (
        (AttemptState.FAILED, "pending", "failed"),
        (AttemptState.PASSED, "skipped", "passed"),
    ):
        run = a_run(connection, a_job("test"), tell)
        agent = an_agent(connection)
        (held,) = lease(connection, agent)
        start(connection, agent, held.attempt)
        finish(connection, agent, held.attempt, end)
        assert states(get_run(connection, run))["tell"] == job
        for one in lease(connection, agent):
            finish(connection, agent, one.attempt)
        assert states(get_run(connection, run))["run"] == run_state


def test_what_an_attempt_gave_is_kept_once(connection: Connection) -> None:
    """A fact that comes again changes nothing."""
    a_run(connection, a_job("build"), taking("deploy", "build", text="${needs.build.outputs.tag}"))
    agent = an_agent(connection)
    (held,) = lease(connection, agent)
    give(connection, agent, held.attempt, tag="v1")
    give(connection, agent, held.attempt, tag="v2")
    (deploy,) = lease(connection, agent)
    assert deploy.needs["build"].outputs == {"tag": "v1"}
