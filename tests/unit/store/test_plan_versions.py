"""Versions are listed, read and put in force again; what was removed comes back as it was."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, select, update

from tailrace.domain.errors import Conflict, Invalid, NotFound
from tailrace.store.plan_versions import get_version, list_versions, restore_version
from tailrace.store.plans import change_plan, create_plan, get_plan, list_plans, remove_plan, restore_plan
from tailrace.store.projects import (
    create_project,
    get_project,
    list_projects,
    remove_project,
    restore_project,
)
from tailrace.store.tables import trigger as triggers
from tests.unit.store.world import a_plan, a_project


def test_versions_are_listed_newest_first_with_their_authors(connection: Connection) -> None:
    plan = create_plan(connection, a_project(connection), "default", definition="one", author="Ada").id
    change_plan(connection, plan, definition="two", author="Bob")
    change_plan(connection, plan, definition="three")
    found = list_versions(connection, plan)
    assert [(one.number, one.author) for one in found] == [(3, None), (2, "Bob"), (1, "Ada")]
    assert [one.number for one in list_versions(connection, plan, before=3, limit=1)] == [2]
    assert get_version(connection, plan, 2).definition == "two"
    with pytest.raises(NotFound, match="there is no version 4 of plan 'default': it has 3"):
        get_version(connection, plan, 4)


def test_an_earlier_text_is_put_in_force_as_a_new_version(connection: Connection) -> None:
    plan = create_plan(connection, a_project(connection), "default", definition="one").id
    change_plan(connection, plan, definition="two")
    back = restore_version(connection, plan, 1, "Ada")
    assert (back.version, back.definition) == (3, "one")
    assert get_version(connection, plan, 3).author == "Ada"
    assert get_version(connection, plan, 2).definition == "two"


def test_a_plan_of_the_repository_says_itself_what_is_in_force(connection: Connection) -> None:
    plan = create_plan(connection, a_project(connection), "default", path="ci.yml").id
    with pytest.raises(NotFound):
        restore_version(connection, plan, 1, "Ada")
    with pytest.raises(Invalid):
        change_plan(connection, plan, definition="x")


def _live(connection: Connection, plan: int) -> int:
    query = select(triggers.c.id).where(triggers.c.plan_id == plan, triggers.c.removed_at.is_(None))
    return len(connection.execute(query).all())


def test_a_removed_plan_comes_back_with_the_triggers_that_went_with_it(connection: Connection) -> None:
    plan = a_plan(connection)
    connection.execute(update(triggers).where(triggers.c.plan_id == plan).values(removed_at=1))
    remove_plan(connection, plan)
    assert restore_plan(connection, plan).id == plan
    assert _live(connection, plan) == 0, "one that was removed before stays so"
    connection.execute(update(triggers).where(triggers.c.plan_id == plan).values(removed_at=None))
    remove_plan(connection, plan)
    assert _live(connection, plan) == 0
    (removed,) = list_plans(connection, get_removed_project(connection, plan), removed=True)
    assert (removed.id, removed.removed_at is not None) == (plan, True)
    restored = restore_plan(connection, plan)
    assert (restored.removed_at, _live(connection, plan)) == (None, 1)


def get_removed_project(connection: Connection, plan: int) -> int:
    (project,) = {one.project for one in list_plans(connection, removed=True, limit=500) if one.id == plan}
    return project


def test_a_plan_comes_back_only_where_there_is_room_for_it(connection: Connection) -> None:
    project = a_project(connection)
    plan = a_plan(connection, project)
    with pytest.raises(Conflict, match="is not removed"):
        restore_plan(connection, plan)
    remove_plan(connection, plan)
    other = a_plan(connection, project)
    with pytest.raises(Conflict, match="another plan is called 'default' now"):
        restore_plan(connection, plan)
    remove_plan(connection, other)
    remove_project(connection, project)
    with pytest.raises(Conflict, match="is removed: restore it first"):
        restore_plan(connection, plan)
    with pytest.raises(NotFound):
        restore_plan(connection, 10**9)


def test_a_removed_project_comes_back_with_its_plans(connection: Connection) -> None:
    project = create_project(connection, "comes-back", "https://example.org/r.git").id
    plan = a_plan(connection, project)
    with pytest.raises(Conflict, match="is not removed"):
        restore_project(connection, project)
    remove_project(connection, project)
    assert project in [one.id for one in list_projects(connection, removed=True, limit=500)]
    assert project not in [one.id for one in list_projects(connection, limit=500)]
    other = create_project(connection, "comes-back", "https://example.org/r.git").id
    with pytest.raises(Conflict, match="another project is called 'comes-back' now"):
        restore_project(connection, project)
    remove_project(connection, other)
    assert restore_project(connection, project).removed_at is None
    assert get_project(connection, project).name == "comes-back"
    assert get_plan(connection, plan).project == project
    with pytest.raises(NotFound):
        restore_project(connection, 10**9)
