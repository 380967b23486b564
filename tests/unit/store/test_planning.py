"""Planning: a run is claimed by one server at a time, and planned or ended once."""

from __future__ import annotations

import asyncio
import re
import secrets
from dataclasses import replace

from sqlalchemy import Connection, select, update

from tailrace.domain.outcome import Reason
from tailrace.domain.parameters import Values
from tailrace.domain.slots import Slots
from tailrace.domain.states import RunState
from tailrace.store import Store
from tailrace.store.aborts import abort_run
from tailrace.store.planning import (
    LOOKED_AT,
    MOST_DETAIL,
    PlanningWork,
    Resolved,
    claim_planning,
    end_planning,
    next_postponed_in,
    plan_run,
    postpone,
    release_claims,
    renew_claims,
)
from tailrace.store.plans import create_plan
from tailrace.store.projects import create_project, remove_project, restore_project
from tailrace.store.run_secrets import SealedValue, keep_run_secrets, run_secrets
from tailrace.store.runs import create_run, get_run
from tailrace.store.tables import run as runs
from tests.unit.store.world import (
    PUSH,
    a_job,
    a_plan,
    a_planning_run,
    a_project,
    a_run,
    new_run,
    planned,
    states,
)

RESOLVED = Resolved("c" * 40, "refs/heads/x", "x", "Title", "Eve")


def claim(
    connection: Connection, claim_ms: int = 60_000, limit: int = 10, by: str = "here"
) -> list[PlanningWork]:
    return claim_planning(connection, by, claim_ms, Slots(limit, limit, limit))


def a_run_of(connection: Connection, repository: str) -> int:
    project = create_project(connection, secrets.token_hex(8), repository).id
    return a_planning_run(connection, plan_id=a_plan(connection, project))


def test_planning_runs_are_claimed_oldest_first_and_once(connection: Connection) -> None:
    a_run(connection)
    runs = [a_planning_run(connection) for _ in range(3)]
    assert [work.run_id for work in claim(connection, limit=2)] == runs[:2]
    assert [work.run_id for work in claim(connection)] == runs[2:]
    assert claim(connection) == []


def test_why_a_run_ended_is_no_longer_than_lists_can_carry(connection: Connection) -> None:
    """A plan with thousands of faults says the first."""
    runs = [a_planning_run(connection) for _ in range(2)]
    claimed = claim(connection)
    end_planning(connection, runs[0], "fail", "plan_invalid", "x" * 1_000_000, "here")
    postpone(connection, claimed[1], "y" * 1_000_000, 60_000, away=False)
    for run, said in zip(runs, ("x", "y"), strict=True):
        detail = get_run(connection, run).detail or ""
        assert detail.startswith(f"{said * MOST_DETAIL}… (1000000 characters in all)")
        assert len(detail) < MOST_DETAIL + 100


def test_a_claim_that_ran_out_can_be_claimed_again(connection: Connection) -> None:
    run = a_planning_run(connection)
    assert [work.run_id for work in claim(connection, claim_ms=-1000)] == [run]
    assert [work.run_id for work in claim(connection)] == [run]


def test_a_claim_is_renewed_while_the_work_goes_on_and_given_back_when_it_stops(
    connection: Connection,
) -> None:
    run = a_planning_run(connection)
    claim(connection, claim_ms=-1000)
    renew_claims(connection, "here", 60_000)
    assert claim(connection) == [], "whoever works on it still has it"
    release_claims(connection, "here")
    assert [work.run_id for work in claim(connection)] == [run]


def test_the_work_says_where_to_read(connection: Connection) -> None:
    project = a_project(connection)
    kept = a_planning_run(connection, plan_id=a_plan(connection, project, "kept"))
    path = create_plan(connection, project, "path", path="ci.yml").id
    found = a_planning_run(connection, plan_id=path)
    first, second = claim(connection)
    assert (first.run_id, first.path, first.definition) == (kept, None, "jobs: {}")
    assert first.version_id is not None
    assert second == (
        found,
        path,
        "https://example.org/r.git",
        "ci.yml",
        None,
        None,
        "a" * 40,
        "refs/heads/main",
        {},
        False,
        False,
        PUSH,
        "here",
        0,
        0,
        project,
        False,
    )


async def test_servers_that_claim_at_once_share_the_work(store: Store) -> None:
    plan = await store.write(a_plan)
    runs = {await store.write(a_planning_run, plan_id=plan) for _ in range(12)}
    claimed = await asyncio.gather(*(store.write(claim, limit=3) for _ in range(6)))
    ids = [work.run_id for works in claimed for work in works]
    assert len(ids) == len(set(ids))
    assert runs == set(ids)


def test_a_planned_run_has_its_version_commit_and_jobs(connection: Connection) -> None:
    path = create_plan(connection, a_project(connection), "path", path="ci.yml").id
    event = PUSH.model_copy(update={"revision": None, "title": None})
    run = a_planning_run(connection, plan_id=path, event=event)
    (work,) = claim(connection)
    assert plan_run(connection, work, "text", planned(a_job("a"), a_job("b", needs=["a"])), RESOLVED)
    view = get_run(connection, run)
    assert states(view) == {"run": "pending", "a": "pending", "b": "waiting"}
    assert view.plan_version == 1
    assert (view.revision, view.title) == ("c" * 40, "Title"), "found in the repository"
    assert (view.branch, view.author) == ("main", "Ada"), "what the event said stands"
    assert not plan_run(connection, work, "text", planned(a_job("a")), RESOLVED), "it is planned once"
    assert not end_planning(connection, run, "fail", Reason.PLAN_INVALID, "late")
    assert claim(connection, claim_ms=-1) == []


def test_a_run_that_was_aborted_meanwhile_is_not_planned(connection: Connection) -> None:
    run = a_planning_run(connection)
    (work,) = claim(connection)
    assert abort_run(connection, run, "Ada") == []
    assert not plan_run(connection, work, "text", planned(a_job("a")), RESOLVED)
    assert get_run(connection, run).state is RunState.ABORTED


def test_the_event_is_kept_until_the_plan_was_asked_about_it(connection: Connection) -> None:
    """Nobody asks where a person wants the run; once it is planned or ended it takes no room."""
    event = PUSH.model_copy(update={"changed": ("a.py",), "values": {"LEVEL": "high"}})
    path = create_plan(connection, a_project(connection), "path", path="ci.yml").id
    run, other = (a_planning_run(connection, plan_id=path, event=event) for _ in range(2))
    wanted = create_run(connection, replace(new_run(connection, None, event=event), trigger_kind="manual"))
    first, second, manual = claim(connection)
    assert (first.event, second.event, manual.run_id, manual.event) == (event, event, wanted, None)
    assert get_run(connection, run).variables == {"LEVEL": "high"}
    plan_run(connection, first, "text", planned(a_job("a")), RESOLVED)
    end_planning(connection, other, "skip", Reason.FILTERED, "not asked for")
    kept = select(runs.c.id).where(runs.c.event.is_not(None))
    assert connection.execute(kept.where(runs.c.id.in_([run, other]))).all() == []


def test_of_what_was_given_only_secrets_stay_and_those_only_while_they_are_of_use(
    connection: Connection,
) -> None:
    """The texts are variables then; a run that ends without a plan keeps nothing."""
    given = {name: SealedValue(name.lower() * 32, b"sealed") for name in ("A", "B")}
    path = create_plan(connection, a_project(connection), "path", path="ci.yml").id
    first, second = (a_planning_run(connection, plan_id=path) for _ in range(2))
    for run in (first, second):
        keep_run_secrets(connection, run, given)
    works = {work.run_id: work for work in claim(connection)}
    values = Values({"A": "text"}, ("B",))
    assert plan_run(connection, works[first], "text", planned(a_job("a")), RESOLVED, values)
    assert list(run_secrets(connection, first)) == ["B"]
    assert get_run(connection, first).variables == {"A": "text"}
    assert end_planning(connection, second, "fail", Reason.PARAMETERS_INVALID, "no")
    assert run_secrets(connection, second) == {}


def test_planning_ends_with_a_reason(connection: Connection) -> None:
    failed, skipped = a_planning_run(connection), a_planning_run(connection)
    assert end_planning(connection, failed, "fail", Reason.PLAN_INVALID, "line 3")
    assert end_planning(connection, skipped, "skip", Reason.PLAN_MISSING, "no file")
    for id, state, reason in ((failed, "failed", "plan_invalid"), (skipped, "skipped", "plan_missing")):
        view = get_run(connection, id)
        assert (view.state, view.reason) == (state, reason)
        assert view.finished_at is not None


def test_no_repository_and_no_host_takes_all_slots(connection: Connection) -> None:
    """Those behind are claimed before them; what has no room is claimed when others are done."""
    slots = Slots(10, of_host=3, of_repository=2)
    first = [a_run_of(connection, "https://slow.example/a.git") for _ in range(LOOKED_AT)]
    second = [a_run_of(connection, "ssh://git@slow.example/b.git") for _ in range(LOOKED_AT + 5)]
    other = a_run_of(connection, "https://other.example/a.git")
    works = claim_planning(connection, "here", 60_000, slots)
    assert [work.run_id for work in works] == [*first[:2], second[0], other]
    busy = replace(slots, busy=tuple(work.repository for work in works))
    assert claim_planning(connection, "here", 60_000, busy) == []
    done = replace(slots, busy=tuple(work.repository for work in works[1:]))
    assert [work.run_id for work in claim_planning(connection, "here", 60_000, done)] == [first[2]]


def test_of_a_repository_that_is_away_one_run_is_planned_at_a_time(connection: Connection) -> None:
    away = "https://slow.example/a.git"
    first, _ = (a_run_of(connection, away) for _ in range(2))
    slots = Slots(10, 10, 10, away=frozenset({away}))
    assert [work.run_id for work in claim_planning(connection, "here", 60_000, slots)] == [first]


def test_a_postponed_run_says_why_and_is_claimed_when_its_time_has_come(connection: Connection) -> None:
    run = a_planning_run(connection)
    assert next_postponed_in(connection) is None
    (work,) = claim(connection)
    assert postpone(connection, work, "the forge is away", 60_000, away=True) == [run]
    view = get_run(connection, run)
    assert (view.state, view.reason) == (RunState.PLANNING, None)
    assert re.fullmatch(r"the forge is away; tried again at \d\d:\d\d:\d\d UTC", view.detail or "")
    assert claim(connection) == []
    assert 59_000 < (next_postponed_in(connection) or 0) <= 60_000
    early = runs.c.id == run
    connection.execute(
        update(runs).where(early).values(claimed_until=1, troubled_at=runs.c.troubled_at - 5000)
    )
    assert next_postponed_in(connection) is None, "it is there to be claimed"
    (again,) = claim(connection)
    assert (again.tries, again.troubled_ms >= 5000) == (1, True)
    assert plan_run(connection, again, "text", planned(a_job("a")), RESOLVED)
    assert get_run(connection, run).detail is None


def test_those_that_wait_for_a_repository_that_is_away_wait_together(connection: Connection) -> None:
    """Each trying by itself would be as many attempts as there are runs; a person's is tried all the same."""
    first, second = (a_run_of(connection, "https://slow.example/a.git") for _ in range(2))
    plan = get_run(connection, first).plan
    wanted = create_run(connection, replace(new_run(connection, None, plan_id=plan), trigger_kind="manual"))
    other = a_run_of(connection, "https://slow.example/b.git")
    (work,) = claim(connection, limit=1)
    assert sorted(postpone(connection, work, "away", 60_000, away=True)) == [first, second]
    assert get_run(connection, second).detail == get_run(connection, first).detail
    assert [work.run_id for work in claim(connection)] == [wanted, other]


def test_a_revision_that_is_missing_is_the_matter_of_its_run(connection: Connection) -> None:
    first, second = (a_run_of(connection, "https://slow.example/a.git") for _ in range(2))
    (work,) = claim(connection, limit=1)
    assert postpone(connection, work, "missing", 60_000, away=False) == [first]
    assert [work.run_id for work in claim(connection)] == [second]


def test_a_postponed_run_can_be_aborted(connection: Connection) -> None:
    run = a_planning_run(connection)
    (work,) = claim(connection)
    postpone(connection, work, "the forge is away", -1000, away=False)
    abort_run(connection, run, "Ada")
    assert claim(connection) == []
    assert get_run(connection, run).detail == "aborted by Ada"


def test_who_lost_a_claim_neither_plans_nor_ends_nor_keeps_it(connection: Connection) -> None:
    """A server that stood still for a while, and whose work another took."""
    run = a_planning_run(connection)
    (late,) = claim(connection, claim_ms=-1000, by="stood still")
    (work,) = claim(connection, claim_ms=-1000, by="other")
    renew_claims(connection, "stood still", 60_000)
    (work,) = claim(connection, by="other")
    release_claims(connection, "stood still")
    assert claim(connection, by="third") == []
    assert postpone(connection, late, "away", 0, away=True) == []
    assert not end_planning(connection, run, "fail", Reason.PLAN_INVALID, "line 3", late.by)
    assert not plan_run(connection, late, "text", planned(a_job("a")), RESOLVED)
    assert get_run(connection, run).state is RunState.PLANNING
    assert plan_run(connection, work, "text", planned(a_job("a")), RESOLVED)


def test_a_run_of_a_removed_project_is_not_planned(connection: Connection) -> None:
    """It is when the project is restored before somebody ended it."""
    project = a_project(connection)
    run = a_planning_run(connection, plan_id=a_plan(connection, project))
    remove_project(connection, project)
    assert claim_planning(connection, "a", 60_000, Slots(9, 9, 9)) == []
    restore_project(connection, project)
    assert [work.run_id for work in claim_planning(connection, "a", 60_000, Slots(9, 9, 9))] == [run]
