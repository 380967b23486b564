"""Secrets: sealed, of one project or for all."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, select

from tailrace.domain.errors import NotFound
from tailrace.domain.plan import JobSpec, RunStep
from tailrace.domain.trust import Taker
from tailrace.store.leases import Offer, lease_attempts, read_handovers
from tailrace.store.projects import get_project, remove_project
from tailrace.store.secrets import (
    SealedSecret,
    list_secrets,
    remove_secret,
    secret_row,
    set_secret,
)
from tailrace.store.tables import secret
from tests.unit.store.world import LEASE_MS, a_plan, a_project, a_run, an_agent


def put(connection: Connection, project: int | None, name: str, value: bytes = b"sealed") -> int:
    return set_secret(connection, project, name, value, warnings=[], author="Ada").secret.id


def test_a_secret_is_shown_as_it_was_set_without_its_value(connection: Connection) -> None:
    """Who set it last, and what cannot be hidden of it."""
    project = a_project(connection)
    made = set_secret(connection, project, "TOKEN", b"one", warnings=["short"], author="Ada")
    assert made.made
    again = set_secret(connection, project, "TOKEN", b"two", warnings=[], author="Kim")
    assert not again.made
    (shown,) = list_secrets(connection)
    assert shown == again.secret
    assert (shown.id, shown.author, shown.warnings) == (made.secret.id, "Kim", ())
    assert (shown.project, shown.project_name) == (project, get_project(connection, project).name)
    assert shown.updated_at >= shown.created_at
    assert connection.execute(select(secret.c.value)).scalars().all() == [b"two"]


def test_a_name_is_free_in_each_project_and_for_all(connection: Connection) -> None:
    """What jobs of a project can have: its own, and those for all."""
    one, two = a_project(connection), a_project(connection)
    ids = [put(connection, project, "TOKEN") for project in (one, two, None)]
    assert len({*ids}) == 3
    assert [shown.id for shown in list_secrets(connection, one)] == [ids[0], ids[2]]
    assert [shown.id for shown in list_secrets(connection, after=ids[0], limit=1)] == [ids[1]]
    remove_project(connection, two)
    assert [shown.id for shown in list_secrets(connection)] == [ids[0], ids[2]]
    with pytest.raises(NotFound):
        put(connection, two, "OTHER")


def test_a_removed_secret_leaves_nothing(connection: Connection) -> None:
    """Its row is gone, and cannot be removed again."""
    id = put(connection, None, "TOKEN")
    remove_secret(connection, id)
    assert connection.execute(select(secret)).all() == []
    with pytest.raises(NotFound):
        remove_secret(connection, id)


def test_a_lease_comes_with_what_its_job_wants(connection: Connection) -> None:
    """No more than that; the project's own before the one for all; never another project's."""
    one, two = a_project(connection), a_project(connection)
    put(connection, None, "TOKEN", b"for all")
    put(connection, None, "KEY", b"key for all")
    put(connection, None, "UNWANTED", b"?")
    put(connection, one, "TOKEN", b"of one")
    put(connection, two, "ONLY_TWO", b"of two")
    job = JobSpec(name="a", secrets=("TOKEN", "KEY", "ONLY_TWO"), steps=(RunStep(name="x", run="x"),))
    plain = JobSpec(name="b", steps=(RunStep(name="x", run="x"),))
    a_run(connection, job, plain, plan_id=a_plan(connection, one))
    a_run(connection, job, plan_id=a_plan(connection, two))
    granted = lease_attempts(connection, [Offer(an_agent(connection), Taker(frozenset()), 3)], LEASE_MS)
    token, key = (
        SealedSecret("TOKEN", secret_row(one, "TOKEN"), b"of one"),
        SealedSecret("KEY", secret_row(None, "KEY"), b"key for all"),
    )
    wanted = [
        (token, key),
        (),
        (
            SealedSecret("TOKEN", secret_row(None, "TOKEN"), b"for all"),
            key,
            SealedSecret("ONLY_TWO", secret_row(two, "ONLY_TWO"), b"of two"),
        ),
    ]
    assert [grant.sealed for grant in granted] == wanted
    again = read_handovers(connection, [grant.lease.attempt for grant in granted])
    assert [handover.sealed for handover in again] == wanted


def test_rows_have_names_of_their_own() -> None:
    """A value that was sealed for one does not open in another."""
    assert len({secret_row(None, "A"), secret_row(1, "A"), secret_row(1, "B"), secret_row(11, "A")}) == 4
