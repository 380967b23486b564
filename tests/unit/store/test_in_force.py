"""Which text of a plan in the repository is in force; none that only a stranger has."""

from __future__ import annotations

from sqlalchemy import Connection

from tailrace.domain.events import Event, EventKind
from tailrace.domain.slots import Slots
from tailrace.store.in_force import Candidate, candidate_of, put_in_force
from tailrace.store.plan_versions import get_version, list_versions, number_before
from tailrace.store.planning import Resolved, claim_planning, plan_run
from tailrace.store.plans import create_plan, get_plan
from tailrace.store.runs import create_run
from tests.unit.store.world import PUSH, a_job, a_project, new_run, planned

RESOLVED = Resolved("a" * 40, "refs/heads/main", "main", "Fix it", "Ada")
FORK = Event(kind=EventKind.PULL_REQUEST, ref="refs/pull/7/head", branch="main", from_fork=True)
OWN = FORK.model_copy(update={"ref": "refs/pull/8/head", "from_fork": False})
TAG = Event(kind=EventKind.TAG, ref="refs/tags/main", branch="main")


def a_plan(connection: Connection) -> int:
    return create_plan(connection, a_project(connection), "default", path=".tailrace.yml").id


def seen(connection: Connection, plan: int, event: Event, text: str) -> int:
    """A run by this event, planned with this text."""
    run = create_run(connection, new_run(connection, None, plan_id=plan, event=event))
    (work,) = claim_planning(connection, "here", 60_000, Slots(10, 10, 10))
    assert plan_run(connection, work, text, planned(a_job("a")), RESOLVED)
    return run


def test_what_only_a_fork_a_pull_request_or_a_tag_has_never_is(connection: Connection) -> None:
    """The plan has no text until its branch was seen; the versions say where each was."""
    plan = a_plan(connection)
    for number, event in enumerate((FORK, OWN, TAG), 1):
        assert candidate_of(connection, seen(connection, plan, event, f"text {number}")) is None
    assert (get_plan(connection, plan).version, get_plan(connection, plan).definition) == (None, None)
    found = list_versions(connection, plan)
    assert [(one.ref, one.from_fork, one.in_force) for one in found] == [
        ("refs/tags/main", False, False),
        ("refs/pull/8/head", False, False),
        ("refs/pull/7/head", True, False),
    ]
    main = candidate_of(connection, seen(connection, plan, PUSH, "main"))
    assert main == Candidate(plan, 4, "main", "a" * 40)
    put_in_force(connection, plan, 4)
    seen(connection, plan, FORK, "stranger")
    assert (get_plan(connection, plan).version, get_plan(connection, plan).definition) == (4, "main")
    assert [one.number for one in list_versions(connection, plan) if one.in_force] == [4]
    assert candidate_of(connection, seen(connection, plan, PUSH, "main")) is None


def test_a_strangers_text_that_was_merged_is_a_strangers_no_more(connection: Connection) -> None:
    """Its version is told by where it was seen in the repository itself; differences leave out forks' versions."""
    plan = a_plan(connection)
    for event, text in ((PUSH, "one"), (FORK, "two"), (PUSH, "three")):
        seen(connection, plan, event, text)
    assert number_before(connection, plan, 3) == 1
    assert get_version(connection, plan, 2).from_fork
    merged = seen(connection, plan, PUSH, "two")
    found = get_version(connection, plan, 2)
    assert (found.from_fork, found.ref, found.author) == (False, "refs/heads/main", "Ada")
    assert candidate_of(connection, merged) == Candidate(plan, 2, "main", "a" * 40)
    seen(connection, plan, FORK, "two")
    assert not get_version(connection, plan, 2).from_fork
    assert number_before(connection, plan, 3) == 2


def test_a_plan_that_is_kept_here_is_what_was_written_last(connection: Connection) -> None:
    plan = create_plan(connection, a_project(connection), "default", definition="jobs: {}").id
    run = create_run(connection, new_run(connection, None, plan_id=plan, event=PUSH))
    assert candidate_of(connection, run) is None
    (found,) = list_versions(connection, plan)
    assert (found.in_force, found.ref, found.from_fork) == (True, None, False)
