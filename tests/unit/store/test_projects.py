"""Projects: names are unique among those that are there."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from tailrace.domain.errors import Conflict, Invalid, NotFound
from tailrace.domain.model import Project
from tailrace.store import Store
from tailrace.store.plans import create_plan, plan_source
from tailrace.store.projects import (
    change_project,
    create_project,
    find_webhook_target,
    get_project,
    list_projects,
    remove_project,
    set_webhook_secret,
)
from tests.unit.store.conftest import overlapping


def test_a_project_is_found_as_it_was_made(connection: Connection) -> None:
    made = create_project(connection, "tailrace", "https://example.org/t.git")
    assert (made.name, made.repository, made.has_webhook_secret) == (
        "tailrace",
        "https://example.org/t.git",
        False,
    )
    assert get_project(connection, made.id) == made
    assert list_projects(connection) == [made]


def test_a_taken_name_is_a_conflict(connection: Connection) -> None:
    create_project(connection, "a", "r")
    other = create_project(connection, "b", "r")
    with pytest.raises(Conflict, match="project 'a' exists already"):
        create_project(connection, "a", "r2")
    with pytest.raises(Conflict):
        change_project(connection, other.id, name="a")
    assert change_project(connection, other.id, name="b", repository="r3").repository == "r3"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://ada:hunter2@example.org/r.git", "https://***@example.org/r.git"),
        ("https://ghp_hunter2@example.org/r.git", "https://***@example.org/r.git"),
        ("svn+https://ada:hunter2@example.org/r", "svn+https://***@example.org/r"),
        ("ssh://ada:hunter2@example.org/r.git", "ssh://ada:***@example.org/r.git"),
    ],
)
def test_nobody_is_shown_a_password(connection: Connection, address: str, shown: str) -> None:
    """Who saves a project as it is shown keeps the password; another address wants it anew."""
    made = create_project(connection, "a", address)
    assert (made.repository, list_projects(connection)) == (shown, [made])
    plan = create_plan(connection, made.id, "default", path=".tailrace.yml").id
    assert change_project(connection, made.id, name="b", repository=shown).repository == shown
    assert plan_source(connection, plan).repository == address
    with pytest.raises(Invalid, match="blotted out"):
        change_project(connection, made.id, repository=shown.replace("example.org", "evil.example"))
    assert plan_source(connection, plan).repository == address
    change_project(connection, made.id, repository="https://example.org/s.git")
    assert plan_source(connection, plan).repository == "https://example.org/s.git"


async def test_two_who_take_a_name_at_once_get_one_project_and_one_conflict(store: Store) -> None:
    def create(connection: Connection) -> Project:
        return create_project(connection, "same", "r")

    with pytest.raises(Conflict):
        await overlapping(store, create, create)
    assert len(await store.read(list_projects)) == 1


def test_a_removed_project_is_gone_and_its_name_is_free(connection: Connection) -> None:
    first = create_project(connection, "a", "r")
    remove_project(connection, first.id)
    for act in (get_project, remove_project, change_project):
        with pytest.raises(NotFound):
            act(connection, first.id)
    assert list_projects(connection) == []
    second = create_project(connection, "a", "r")
    assert second.id > first.id
    remove_project(connection, second.id)
    create_project(connection, "a", "r")


def test_projects_are_listed_page_by_page_oldest_first(connection: Connection) -> None:
    made = [create_project(connection, f"p{n}", "r") for n in range(5)]
    assert list_projects(connection, limit=2) == made[:2]
    assert list_projects(connection, after=made[1].id, limit=2) == made[2:4]


def test_a_webhook_finds_its_project_by_name_or_id_and_a_name_wins(connection: Connection) -> None:
    first = create_project(connection, "a", "r")
    second = create_project(connection, str(first.id), "r")
    set_webhook_secret(connection, second.id, b"sealed")
    assert get_project(connection, second.id).has_webhook_secret
    assert find_webhook_target(connection, "a") == (first.id, "r", None, None)
    assert find_webhook_target(connection, str(first.id)) == (second.id, "r", b"sealed", None)
    assert find_webhook_target(connection, str(second.id)) == (second.id, "r", b"sealed", None)
    remove_project(connection, second.id)
    assert find_webhook_target(connection, str(first.id)) == (first.id, "r", None, None)
    for unknown in ("nobody", "", "999999", "9" * 40, "-1", "²"):
        assert find_webhook_target(connection, unknown) is None
