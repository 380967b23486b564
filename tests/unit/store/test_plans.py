"""Plans: every edit is a new version, and a version never changes."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import Connection, func, select, update

from tailrace.domain.errors import Conflict, Invalid, NotFound
from tailrace.store import Store
from tailrace.store.plans import (
    PlanSource,
    Seen,
    add_version,
    change_plan,
    create_plan,
    find_plan,
    get_plan,
    list_plans,
    plan_source,
    remove_plan,
    version_definition,
    webhook_plans,
)
from tailrace.store.projects import remove_project
from tailrace.store.tables import plan as plans
from tailrace.store.tables import plan_version as versions
from tailrace.store.tables import trigger as triggers
from tests.unit.store.conftest import overlapping
from tests.unit.store.world import a_plan, a_project

SEEN = Seen("refs/heads/main", "a" * 40, False, "Ada")


def _versions(connection: Connection, plan_id: int) -> list[tuple[int, str]]:
    rows = connection.execute(
        select(versions.c.number, versions.c.definition)
        .where(versions.c.plan_id == plan_id)
        .order_by(versions.c.number)
    )
    return [(row.number, row.definition) for row in rows]


def test_a_plan_is_found_as_it_was_made(connection: Connection) -> None:
    project = a_project(connection, "tailrace")
    made = create_plan(connection, project, "default", definition="one")
    assert (made.version, made.definition, made.path, made.project_name) == (1, "one", None, "tailrace")
    assert get_plan(connection, made.id) == made
    assert find_plan(connection, "tailrace", "default") == made
    assert find_plan(connection, "tailrace", "other") is None
    source = plan_source(connection, made.id)
    assert (source.definition, source.path) == ("one", None)
    assert source.version_id is not None
    assert version_definition(connection, source.version_id) == "one"


def test_every_edit_makes_a_version_and_earlier_ones_stay(connection: Connection) -> None:
    plan = create_plan(connection, a_project(connection), "default", definition="one")
    first = plan_source(connection, plan.id).version_id
    assert first is not None
    assert change_plan(connection, plan.id, definition="two").version == 2
    assert change_plan(connection, plan.id, definition="two").version == 2, "the same text is no edit"
    back = change_plan(connection, plan.id, definition="one")
    assert (back.version, back.definition) == (3, "one"), "going back is an edit: the newest is in force"
    assert _versions(connection, plan.id) == [(1, "one"), (2, "two"), (3, "one")]
    assert version_definition(connection, first) == "one"
    assert plan_source(connection, plan.id).definition == "one"


def test_a_text_that_was_seen_before_has_its_version_already(connection: Connection) -> None:
    plan = create_plan(connection, a_project(connection), "default", path=".tailrace.yml")
    assert (plan.version, plan.definition) == (None, None)
    one, two = (add_version(connection, plan.id, text, SEEN) for text in ("one", "two"))
    assert add_version(connection, plan.id, "one", SEEN) == one != two
    assert _versions(connection, plan.id) == [(1, "one"), (2, "two")]


async def test_runs_that_read_the_same_new_text_at_once_share_its_version(store: Store) -> None:
    project = await store.write(a_project)
    plan = await store.write(create_plan, project, "default", path=".tailrace.yml")

    def add(connection: Connection) -> int:
        return add_version(connection, plan.id, "same", SEEN)

    one, two = await overlapping(store, add, add)
    assert one == two


async def test_edits_at_once_get_numbers_of_their_own(store: Store) -> None:
    plan = await store.write(a_plan)
    await asyncio.gather(*(store.write(change_plan, plan, definition=f"text {n}") for n in range(10)))
    numbers = [number for number, _ in await store.read(_versions, plan)]
    assert numbers == list(range(1, 12))


def test_a_plan_has_either_a_text_or_a_path(connection: Connection) -> None:
    project = a_project(connection)
    for definition, path in ((None, None), ("one", ".tailrace.yml")):
        with pytest.raises(Invalid):
            create_plan(connection, project, "default", definition=definition, path=path)
    kept = create_plan(connection, project, "default", path="ci.yml")
    with pytest.raises(Invalid, match=r"kept in the repository at ci\.yml"):
        change_plan(connection, kept.id, definition="two")


def test_names_are_unique_in_a_project_and_free_after_removal(connection: Connection) -> None:
    project, other = a_project(connection), a_project(connection)
    first = create_plan(connection, project, "default", definition="one")
    create_plan(connection, other, "default", definition="one")
    second = create_plan(connection, project, "nightly", definition="one")
    with pytest.raises(Conflict):
        create_plan(connection, project, "default", definition="two")
    with pytest.raises(Conflict):
        change_plan(connection, second.id, name="default")
    assert change_plan(connection, second.id, name="nightly").name == "nightly"
    remove_plan(connection, first.id)
    assert change_plan(connection, second.id, name="default").name == "default"
    for act in (get_plan, remove_plan, plan_source):
        with pytest.raises(NotFound):
            act(connection, first.id)
    assert [plan.id for plan in list_plans(connection, project)] == [second.id]


def test_plans_of_a_removed_project_are_gone_with_it(connection: Connection) -> None:
    project = a_project(connection)
    plan = a_plan(connection, project)
    remove_project(connection, project)
    with pytest.raises(NotFound):
        get_plan(connection, plan)
    with pytest.raises(NotFound):
        create_plan(connection, project, "other", definition="one")
    assert list_plans(connection) == []


def test_plans_are_listed_page_by_page(connection: Connection) -> None:
    project = a_project(connection)
    ids = [a_plan(connection, project, f"p{n}") for n in range(4)]
    assert [plan.id for plan in list_plans(connection, limit=3)] == ids[:3]
    assert [plan.id for plan in list_plans(connection, after=ids[2])] == ids[3:]


def test_a_webhook_starts_the_plans_whose_trigger_is_enabled(connection: Connection) -> None:
    project = a_project(connection)
    ids = [a_plan(connection, project, name) for name in ("a", "b", "c")]
    connection.execute(update(triggers).where(triggers.c.plan_id == ids[1]).values(enabled=False))
    remove_plan(connection, ids[2])
    assert [source.plan_id for source in webhook_plans(connection, project)] == [ids[0]]


def test_a_project_without_a_plan_follows_its_repository(connection: Connection) -> None:
    project = a_project(connection)
    (source,) = webhook_plans(connection, project)
    assert (source.path, source.definition, source.version_id) == (".tailrace.yml", None, None)
    assert webhook_plans(connection, project) == [source]


async def test_the_first_two_webhooks_at_once_make_one_plan(store: Store) -> None:
    project = await store.write(a_project)

    def follow(connection: Connection) -> list[PlanSource]:
        return webhook_plans(connection, project)

    one, two = await overlapping(store, follow, follow)
    assert one == two

    def count(connection: Connection) -> int:
        return connection.execute(select(func.count()).select_from(plans)).scalar_one()

    assert await store.read(count) == 1
