"""What opens a project's repository: kept by name, found with the secret, and given with leases."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from tailrace.domain.access import Caller, Role
from tailrace.domain.credentials import Credentials
from tailrace.domain.errors import Forbidden, Invalid
from tailrace.domain.model import Project
from tailrace.domain.plan import JobSpec
from tailrace.domain.slots import Slots
from tailrace.domain.trust import Taker
from tailrace.store import Store
from tailrace.store.leases import Handover, Offer, lease_attempts, read_handovers
from tailrace.store.openers import find_opener
from tailrace.store.planning import PlanningWork, claim_planning, postpone
from tailrace.store.projects import change_project, create_project, get_project
from tailrace.store.sealing import SealingKey
from tailrace.store.secrets import secret_row, set_secret
from tests.unit.store.conftest import overlapping
from tests.unit.store.world import LEASE_MS, a_job, a_plan, a_planning_run, a_run, an_agent

ADDRESS = "https://example.org/r.git"
KEY = SealingKey(bytes(32))
NAMED = Credentials(secret="DEPLOY", user="kim")


def keep(connection: Connection, project: int | None, value: str, key: SealingKey = KEY) -> None:
    sealed = key.seal(value, secret_row(project, "DEPLOY"))
    set_secret(connection, project, "DEPLOY", sealed, warnings=[], author="Ada")


def test_credentials_are_kept_changed_and_taken_away(connection: Connection) -> None:
    """What is not said of them stays, also when the address changes."""
    made = create_project(connection, "shop", ADDRESS, NAMED)
    assert made.credentials == get_project(connection, made.id).credentials == NAMED
    assert change_project(connection, made.id, name="store").credentials == NAMED
    moved = change_project(connection, made.id, repository="https://example.com/r.git")
    assert moved.credentials == NAMED
    other = Credentials(secret="OTHER")
    assert change_project(connection, made.id, credentials=other).credentials == other
    assert change_project(connection, made.id, credentials=None).credentials is None
    assert create_project(connection, "plain", ADDRESS).credentials is None


async def test_no_member_moves_what_a_secret_opens(store: Store) -> None:
    """Nor while an admin names the secret: it would be shown to the member's machine. What nothing opens a member may move."""
    made = await store.write(create_project, "shop", ADDRESS)
    evil, ada = "https://evil.example/r.git", Caller(2, "ada", Role.MEMBER)

    def move(connection: Connection, address: str = evil) -> str:
        return change_project(connection, made.id, repository=address, caller=ada).repository

    assert await store.write(move, "https://example.net/r.git") == "https://example.net/r.git"

    def name_it(connection: Connection) -> Project:
        admin = Caller(1, "admin", Role.ADMIN)
        return change_project(connection, made.id, repository=ADDRESS, credentials=NAMED, caller=admin)

    def refused(connection: Connection) -> str:
        with pytest.raises(Forbidden, match="the address that they open needs the role admin") as why:
            move(connection)
        return str(why.value)

    await overlapping(store, name_it, refused)
    kept = await store.read(get_project, made.id)
    assert (kept.repository, kept.credentials) == (ADDRESS, NAMED)
    assert await store.write(move, ADDRESS) == ADDRESS, "it stays as it is"
    for wish in (None, Credentials(secret="OTHER")):
        with pytest.raises(Forbidden):
            await store.write(change_project, made.id, credentials=wish, caller=ada)
    assert await store.read(get_project, made.id) == kept


def test_they_must_go_with_the_address(connection: Connection) -> None:
    """With the one that is given, or that there is; nothing is changed otherwise."""
    with pytest.raises(Invalid, match="nobody is asked for any"):
        create_project(connection, "shop", "/srv/r", NAMED)
    made = create_project(connection, "shop", ADDRESS, NAMED)
    with pytest.raises(Invalid, match="no user beside a key"):
        change_project(connection, made.id, repository="git@example.org:r.git")
    with pytest.raises(Invalid, match="stands in the address already"):
        change_project(connection, made.id, repository="https://kim:hush@example.org/r")
    login = create_project(connection, "login", "https://kim:hush@example.org/r")
    with pytest.raises(Invalid, match="stands in the address already"):
        change_project(connection, login.id, credentials=NAMED)
    assert get_project(connection, made.id) == made
    both = change_project(
        connection, made.id, repository="git@example.org:r.git", credentials=Credentials(secret="KEY")
    )
    assert (both.repository, both.credentials) == ("git@example.org:r.git", Credentials(secret="KEY"))


def test_the_projects_own_secret_wins(connection: Connection) -> None:
    """As for jobs."""
    project = create_project(connection, "shop", ADDRESS, NAMED).id
    other = create_project(connection, "other", ADDRESS).id
    keep(connection, None, "for all")
    keep(connection, other, "another's")
    opener = find_opener(connection, project)
    assert opener is not None
    opened = opener.open(KEY, ADDRESS).opener
    assert opened is not None
    assert (opened.value, opened.row, opened.credentials) == ("for all", "secret/all/DEPLOY", NAMED)
    keep(connection, project, "its own")
    opener = find_opener(connection, project)
    assert opener is not None
    opened = opener.open(KEY, ADDRESS).opener
    assert opened is not None
    assert (opened.value, opened.row) == ("its own", f"secret/{project}/DEPLOY")
    assert find_opener(connection, other) is None


def test_one_that_opens_nothing_is_named(connection: Connection) -> None:
    """With the project, and what to do."""
    project = create_project(connection, "shop", ADDRESS, NAMED).id
    named = "secret DEPLOY, which project shop names for its repository,"

    def refusal() -> str:
        opener = find_opener(connection, project)
        assert opener is not None
        with pytest.raises(Invalid) as refused:
            opener.open(KEY, ADDRESS)
        return str(refused.value)

    assert refusal().startswith(f"{named} is not set: `tailrace secret set DEPLOY --project shop`")
    keep(connection, project, "hush", SealingKey(b"x" * 32))
    assert refusal().startswith(f"{named} cannot be opened: ")
    keep(connection, project, "hush\nhush")
    assert refusal().startswith(f"{named} has several lines")


def handed(connection: Connection, project: int, spec: JobSpec) -> Handover:
    run = a_run(connection, spec, plan_id=a_plan(connection, project))
    offer = Offer(an_agent(connection), Taker(frozenset()), 1)
    (granted,) = lease_attempts(connection, [offer], LEASE_MS)
    assert granted.lease.run == run
    (again,) = read_handovers(connection, [granted.lease.attempt])
    assert (granted.lease, granted.sealed, granted.opener) == again
    return again


def test_a_lease_names_it_and_its_secret_comes_along(connection: Connection) -> None:
    """The lease itself, which is written to disk, holds nothing secret."""
    project = create_project(connection, "shop", ADDRESS, NAMED).id
    keep(connection, project, "hush")
    handover = handed(connection, project, a_job("test"))
    assert (handover.lease.credentials, handover.lease.opened_by) == (NAMED, f"secret/{project}/DEPLOY")
    assert handover.opener is not None
    opened = handover.opener.open(KEY, ADDRESS).opener
    assert opened is not None
    assert opened.value == "hush"
    assert "hush" not in handover.lease.model_dump_json()


def test_each_of_several_leases_gets_its_own_projects(connection: Connection) -> None:
    """Also where an agent takes them in one turn."""
    projects = [create_project(connection, name, ADDRESS, NAMED).id for name in ("one", "two")]
    for project in projects:
        keep(connection, project, f"hush-{project}")
    plans = {project: a_plan(connection, project) for project in projects}
    owner = {a_run(connection, a_job("test"), plan_id=plans[one]): one for one in (*projects, *projects)}
    granted = lease_attempts(connection, [Offer(an_agent(connection), Taker(frozenset()), 4)], LEASE_MS)
    assert {one.lease.run: one.lease.opened_by for one in granted} == {
        run: f"secret/{project}/DEPLOY" for run, project in owner.items()
    }


def test_a_job_without_a_checkout_is_given_none(connection: Connection) -> None:
    """Nor one of a project that names none."""
    project = create_project(connection, "shop", ADDRESS, NAMED).id
    keep(connection, project, "hush")
    handover = handed(connection, project, a_job("test").model_copy(update={"checkout": False}))
    assert (handover.opener, handover.lease.credentials, handover.lease.opened_by) == (None, None, "")
    handover = handed(connection, create_project(connection, "plain", ADDRESS).id, a_job("test"))
    assert (handover.opener, handover.lease.credentials) == (None, None)


def test_what_one_projects_secret_does_not_open_another_may(connection: Connection) -> None:
    """Runs of other projects with the same address do not wait with it."""

    def works(*named: Credentials | None) -> list[PlanningWork]:
        for number, credentials in enumerate(named):
            project = create_project(connection, f"p{number}", ADDRESS, credentials).id
            a_planning_run(connection, plan_id=a_plan(connection, project))
        return claim_planning(connection, "me", 60_000, Slots(1, 1, 1))

    (work,) = works(NAMED, Credentials(secret="OTHER"), None, None)
    assert work.has_credentials
    assert postpone(connection, work, "it said no", 1000, away=True) == [work.run_id]
    (_other,) = claim_planning(connection, "me", 60_000, Slots(1, 1, 1))
    (plain,) = claim_planning(connection, "me", 60_000, Slots(1, 1, 1))
    assert not plain.has_credentials
    assert len(postpone(connection, plain, "it said no", 1000, away=True)) == 2
