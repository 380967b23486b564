"""What waits for a person waits, goes on when it is approved, and ends when it is not."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection
from sqlalchemy import event as sql_event

from tailrace.domain.approvals import ApprovalState
from tailrace.domain.errors import Conflict, Forbidden, NotFound
from tailrace.domain.plan import Concurrency, JobSpec
from tailrace.domain.states import AttemptState
from tailrace.store.aborts import abort_run
from tailrace.store.approvals import ApprovalFilter, count_open, decide, get_approval, list_approvals
from tailrace.store.environments import Terms, change_environment, create_environment, remove_environment
from tailrace.store.jobs import advance_run
from tailrace.store.plans import create_plan, plan_source
from tailrace.store.projects import remove_project, restore_project
from tailrace.store.reopening import retry_failed, retry_job
from tailrace.store.runs import create_run, get_run
from tailrace.triggers.planned import read_plan
from tests.unit.store.world import (
    PUSH,
    a_job,
    a_plan,
    a_project,
    a_run,
    an_agent,
    finish,
    jobs_by_name,
    lease,
    new_run,
    start,
    states,
)

FORK = PUSH.model_copy(update={"from_fork": True, "ref": "refs/pull/7/head"})


ASKING = Terms()


def deploying(name: str = "deploy", *needs: str, to: str = "production") -> JobSpec:
    return a_job(name, needs).model_copy(update={"environment": to})


def the_open(connection: Connection) -> int:
    (one,) = list_approvals(connection, ApprovalFilter(ApprovalState.OPEN))
    return one.id


def pass_all(connection: Connection, agent: int) -> list[str]:
    """Carry what is queued until nothing is; the names of the jobs."""
    names: list[str] = []
    while held := lease(connection, agent):
        start(connection, agent, held[0].attempt)
        finish(connection, agent, held[0].attempt)
        names.append(held[0].job.name)
    return names


def a_guarded_plan(connection: Connection, terms: Terms = ASKING) -> int:
    project = a_project(connection)
    create_environment(connection, project, "production", terms, "Ada")
    return a_plan(connection, project)


def test_a_job_asks_when_nothing_else_holds_it_and_goes_on_when_it_is_approved(
    connection: Connection,
) -> None:
    """Not before: what it needs may fail. Others of its run do not wait."""
    agent = an_agent(connection)
    run = a_run(connection, a_job("test"), deploying("deploy", "test"), plan_id=a_guarded_plan(connection))
    assert count_open(connection) == 0
    assert pass_all(connection, agent) == ["test"]
    (asked,) = list_approvals(connection, ApprovalFilter(ApprovalState.OPEN, run=run))
    assert (asked.job_name, asked.environment, asked.branch, asked.by) == (
        "deploy",
        "production",
        "main",
        None,
    )
    assert states(get_run(connection, run)) == {"run": "running", "test": "passed", "deploy": "waiting"}
    assert decide(connection, asked.id, approve=True, by="Bob", why="go").run_id == run
    assert pass_all(connection, agent) == ["deploy"]
    assert states(get_run(connection, run))["run"] == "passed"
    decided = get_approval(connection, asked.id)
    assert (decided.state, decided.by, decided.why) == ("approved", "Bob", "go")
    assert decided.at is not None
    with pytest.raises(Conflict, match="was approved by Bob"):
        decide(connection, asked.id, approve=False, by="Eve", why=None)
    with pytest.raises(NotFound):
        decide(connection, 10**6, approve=True, by="Eve", why=None)


def test_what_is_rejected_ends_with_who_and_why(connection: Connection) -> None:
    """And so does its run; those behind it are skipped."""
    run = a_run(connection, deploying(), a_job("tell", ["deploy"]), plan_id=a_guarded_plan(connection))
    decide(connection, the_open(connection), approve=False, by="Bob", why="it is Friday")
    shown = get_run(connection, run)
    assert states(shown) == {"run": "aborted", "deploy": "aborted", "tell": "skipped"}
    assert (shown.reason, shown.jobs[0].reason) == ("rejected", "rejected")
    assert shown.detail == "job deploy: rejected by Bob: it is Friday"


def test_what_was_rejected_and_is_tried_again_is_asked_again_and_what_was_approved_is_not(
    connection: Connection,
) -> None:
    """An approval is for the job of this run, whatever its attempts."""
    agent = an_agent(connection)
    run = a_run(connection, deploying(), plan_id=a_guarded_plan(connection))
    decide(connection, the_open(connection), approve=False, by="Bob", why=None)
    retry_failed(connection, run)
    assert (states(get_run(connection, run))["deploy"], lease(connection, agent)) == ("waiting", [])
    decide(connection, the_open(connection), approve=True, by="Bob", why=None)
    (held,) = lease(connection, agent)
    start(connection, agent, held.attempt)
    finish(connection, agent, held.attempt, AttemptState.FAILED)
    retry_job(connection, jobs_by_name(connection, run)["deploy"].id)
    assert (pass_all(connection, agent), count_open(connection)) == (["deploy"], 0)


def test_what_passed_and_follows_once_more_is_asked_again(connection: Connection) -> None:
    """What was approved has been done; whoever tries a job before it again may be somebody else."""
    agent = an_agent(connection)
    lint = a_job("lint").model_copy(update={"allow_failure": True})
    run = a_run(connection, lint, deploying("deploy", "lint"), plan_id=a_guarded_plan(connection))
    (held,) = lease(connection, agent)
    start(connection, agent, held.attempt)
    finish(connection, agent, held.attempt, AttemptState.FAILED)
    decide(connection, the_open(connection), approve=True, by="Bob", why=None)
    assert pass_all(connection, agent) == ["deploy"]
    retry_job(connection, jobs_by_name(connection, run)["lint"].id)
    assert pass_all(connection, agent) == ["lint"]
    assert states(get_run(connection, run)) == {"run": "running", "lint": "passed", "deploy": "waiting"}
    decide(connection, the_open(connection), approve=True, by="Bob", why=None)
    assert pass_all(connection, agent) == ["deploy"]
    assert get_run(connection, run).state == "passed"


def test_only_those_whom_the_environment_names_may_decide(connection: Connection) -> None:
    """Anybody may see it."""
    plan = a_guarded_plan(connection, Terms(approvers=("Bob", "Carol")))
    a_run(connection, deploying(), plan_id=plan)
    id = the_open(connection)
    with pytest.raises(Forbidden, match="Eve may not decide for environment production; allowed: Bob, Carol"):
        decide(connection, id, approve=True, by="Eve", why=None)
    assert get_approval(connection, id).state == "open"
    decide(connection, id, approve=True, by="Carol", why=None)


def test_who_may_decide_is_who_could_when_it_was_asked(connection: Connection) -> None:
    """Neither a change of the environment nor its end lets others decide; what is asked later is for the new ones."""
    project = a_project(connection)
    guard = create_environment(connection, project, "production", Terms(approvers=("Bob",)), "Ada")
    plan = a_plan(connection, project)
    a_run(connection, deploying(), plan_id=plan)
    first = the_open(connection)
    change_environment(connection, guard.id, Terms(approvers=("Eve",)), "Eve")
    a_run(connection, deploying(), plan_id=plan)
    second = list_approvals(connection, ApprovalFilter(ApprovalState.OPEN))[0]
    assert second.approvers == ("Eve",)
    remove_environment(connection, guard.id)
    for by, id in (("Eve", first), ("Bob", second.id)):
        with pytest.raises(Forbidden, match=f"{by} may not decide"):
            decide(connection, id, approve=True, by=by, why=None)
    decide(connection, first, approve=True, by="Bob", why=None)


def test_what_is_asked_for_a_removed_project_is_asked_no_more(connection: Connection) -> None:
    """Until it is restored."""
    project = a_project(connection)
    create_environment(connection, project, "production", Terms(), "Ada")
    a_run(connection, deploying(), plan_id=a_plan(connection, project))
    id = the_open(connection)
    remove_project(connection, project)
    for state in (ApprovalState.OPEN, None):
        assert list_approvals(connection, ApprovalFilter(state)) == []
    assert count_open(connection) == 0
    with pytest.raises(NotFound):
        decide(connection, id, approve=True, by="Bob", why=None)
    restore_project(connection, project)
    assert (the_open(connection), count_open(connection)) == (id, 1)


def test_many_jobs_that_wait_are_one_question_to_the_store(connection: Connection) -> None:
    """Each is asked for by its name; nothing is asked for each of them whenever one of them ends."""
    project = a_project(connection)
    create_environment(connection, project, "production", Terms(), "Ada")
    rows: list[str] = []
    jobs = [deploying(f"deploy-{number}") for number in range(20)]
    run = a_run(connection, a_job("test"), *jobs, plan_id=a_plan(connection, project))
    assert count_open(connection) == 20

    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        rows.append(statement)

    sql_event.listen(connection, "before_cursor_execute", note)
    advance_run(connection, run)
    sql_event.remove(connection, "before_cursor_execute", note)
    assert len([one for one in rows if "FROM approval" in one]) == 1


@pytest.mark.parametrize(
    ("patterns", "event", "allowed"),
    [
        (("main",), {}, True),
        (("release/*",), {}, False),
        (("release/*", "m*"), {}, True),
        (("main",), {"branch": None, "ref": None}, False),
        (("v1",), {"branch": "v1", "ref": "refs/tags/v1"}, False),
        (("refs/tags/v*",), {"branch": "v1", "ref": "refs/tags/v1"}, True),
    ],
)
def test_an_environment_takes_the_branches_that_it_names(
    connection: Connection, patterns: tuple[str, ...], event: dict[str, object], allowed: bool
) -> None:
    """A job of another is skipped, with those that need it; a tag does not pass for a branch of its name."""
    plan = a_guarded_plan(connection, Terms(approval=False, branches=patterns))
    run = a_run(
        connection,
        deploying(),
        a_job("tell", ["deploy"]),
        a_job("test"),
        plan_id=plan,
        event=PUSH.model_copy(update=event),
    )
    shown = get_run(connection, run)
    found = states(shown)
    if allowed:
        assert (found["deploy"], found["tell"]) == ("pending", "waiting")
        return
    assert (found["deploy"], found["tell"], found["test"]) == ("skipped", "skipped", "pending")
    assert shown.jobs[0].reason == "environment_refused"
    assert (shown.jobs[0].detail or "").startswith("environment production takes only ")
    assert pass_all(connection, an_agent(connection)) == ["test"]
    assert get_run(connection, run).state == "passed"


def test_who_waits_already_waits_whatever_becomes_of_the_environment(connection: Connection) -> None:
    """To remove it is no approval."""
    agent = an_agent(connection)
    project = a_project(connection)
    guard = create_environment(connection, project, "production", Terms(), "Ada")
    run = a_run(connection, deploying(), a_job("test"), plan_id=a_plan(connection, project))
    change_environment(connection, guard.id, Terms(approval=False), "Eve")
    remove_environment(connection, guard.id)
    assert pass_all(connection, agent) == ["test"]
    assert states(get_run(connection, run))["deploy"] == "waiting"
    later = a_run(connection, deploying(), plan_id=a_plan(connection, project, "later"))
    assert states(get_run(connection, later))["deploy"] == "pending", "nobody set it up"


def test_what_nobody_needs_to_decide_any_more_is_withdrawn(connection: Connection) -> None:
    """When its run is aborted, also while something of that still runs."""
    agent = an_agent(connection)
    run = a_run(connection, a_job("test"), deploying(), plan_id=a_guarded_plan(connection))
    (held,) = lease(connection, agent)
    start(connection, agent, held.attempt)
    id = the_open(connection)
    abort_run(connection, run, "Ada")
    assert states(get_run(connection, run)) == {"run": "running", "test": "running", "deploy": "aborted"}
    assert (get_approval(connection, id).state, count_open(connection)) == ("withdrawn", 0)
    with pytest.raises(Conflict, match="its run has ended"):
        decide(connection, id, approve=True, by="Bob", why=None)


def test_a_run_from_a_fork_waits_as_a_whole(connection: Connection) -> None:
    """No job begins before; then all go on; it deploys nowhere that somebody set up, and keeps no workspace."""
    agent = an_agent(connection)
    project = a_project(connection)
    create_environment(connection, project, "production", Terms(approval=False), "Ada")
    steps = "steps: [{run: x}]"
    text = f"jobs: {{test: {{workspace: keep, {steps}}}, deploy: {{environment: production, {steps}}}}}"
    plan = create_plan(connection, project, "p", definition=text)
    source = plan_source(connection, plan.id)
    new = new_run(connection, None, plan_id=plan.id, event=FORK, plan=read_plan(text, "p"))
    assert source.version_id == new.plan_version_id
    run = create_run(connection, new)
    assert (pass_all(connection, agent), states(get_run(connection, run))["run"]) == ([], "pending")
    (asked,) = list_approvals(connection, ApprovalFilter(project=project))
    assert (asked.job, asked.environment, asked.from_fork, asked.author) == (None, None, True, "Ada")
    decide(connection, asked.id, approve=True, by="Bob", why=None)
    (held,) = lease(connection, agent, free=5)
    assert (held.job.name, held.job.workspace, held.from_fork) == ("test", "clean", True)
    start(connection, agent, held.attempt)
    finish(connection, agent, held.attempt)
    shown = get_run(connection, run)
    assert states(shown) == {"run": "passed", "test": "passed", "deploy": "skipped"}
    assert shown.jobs[1].detail == "environment production takes no run from a fork"


def test_a_run_from_a_fork_that_is_rejected_ends(connection: Connection) -> None:
    """Without having begun."""
    run = a_run(connection, a_job("a"), a_job("b", ["a"]), event=FORK)
    decide(connection, the_open(connection), approve=False, by="Bob", why="spam")
    shown = get_run(connection, run)
    assert states(shown) == {"run": "aborted", "a": "aborted", "b": "aborted"}
    assert (shown.reason, shown.jobs[0].detail) == ("rejected", "rejected by Bob: spam")
    assert len(list_approvals(connection, ApprovalFilter(run=run))) == 1, "nobody is asked for what has ended"


def test_a_run_from_a_fork_that_is_aborted_asks_nobody_more(connection: Connection) -> None:
    """Its one question is withdrawn; when it is tried again it is asked again."""
    run = a_run(connection, a_job("a"), a_job("b", ["a"]), event=FORK)
    abort_run(connection, run, "Ada")
    (asked,) = list_approvals(connection, ApprovalFilter(run=run))
    assert asked.state == "withdrawn"
    retry_failed(connection, run)
    assert the_open(connection) > asked.id


def test_a_stranger_s_plan_holds_up_and_ends_nothing_before_it_is_approved(connection: Connection) -> None:
    """Its concurrency group and priority hold from then on."""
    text = "concurrency: {group: main, cancel_superseded: true}\npriority: 5\njobs: {a: {checkout: false, steps: [{run: x}]}}"
    plan = create_plan(connection, a_project(connection), "p", definition=text)
    parsed = read_plan(text, "p")
    assert parsed.concurrency == Concurrency(group="main", cancel_superseded=True)

    def begin(**event: object) -> int:
        one = PUSH.model_copy(update=event)
        return create_run(connection, new_run(connection, None, plan_id=plan.id, event=one, plan=parsed))

    ours = begin()
    strange = begin(from_fork=True)
    assert states(get_run(connection, ours))["a"] == "pending"
    assert states(get_run(connection, strange))["a"] == "waiting"
    decided = decide(connection, the_open(connection), approve=True, by="Bob", why=None)
    assert decided.superseded == (ours,)
    assert states(get_run(connection, strange))["a"] == "pending"
    assert get_run(connection, ours).reason == "superseded_by"
