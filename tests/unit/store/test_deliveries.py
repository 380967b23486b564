"""The inbox: deliveries are kept, the last hundred refusals too."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Connection, func, select, update
from sqlalchemy.exc import IntegrityError

from tailrace.store import Store
from tailrace.store.deliveries import (
    INLINE_BYTES,
    DeliveryFilter,
    NewDelivery,
    add_delivery,
    add_refusal,
    find_delivery,
    get_stored,
    list_deliveries,
    list_refusals,
    remove_bodies,
)
from tailrace.store.runs import create_run
from tailrace.store.tables import delivery as deliveries
from tailrace.store.tables import delivery_body as bodies
from tests.unit.store.conftest import attempt_at, overlapping
from tests.unit.store.world import a_job, a_plan, a_project, new_run


def a_delivery(project_id: int, key: str | None = "k") -> NewDelivery:
    return NewDelivery(
        project_id=project_id,
        source="github",
        key=key,
        event="push",
        headers={"X-GitHub-Event": "push"},
        body=b"zlib",
        body_file=None,
        state="accepted",
        detail=None,
    )


def test_a_delivery_is_found_by_its_key_with_its_runs(connection: Connection) -> None:
    project = a_project(connection)
    plan = a_plan(connection, project)
    id = add_delivery(connection, a_delivery(project))
    runs = tuple(
        create_run(connection, new_run(connection, [a_job("a")], plan_id=plan, delivery_id=id))
        for _ in range(2)
    )
    found = find_delivery(connection, project, "github", "k")
    assert found is not None
    assert (found.id, found.runs, found.state, found.event) == (id, runs, "accepted", "push")
    assert find_delivery(connection, project, "gitlab", "k") is None
    assert find_delivery(connection, project, "github", "other") is None
    assert find_delivery(connection, a_project(connection), "github", "k") is None


def test_a_key_comes_once_in_a_project_and_no_key_often(connection: Connection) -> None:
    project = a_project(connection)
    add_delivery(connection, a_delivery(project))
    add_delivery(connection, a_delivery(a_project(connection)))
    with pytest.raises(IntegrityError), attempt_at(connection):
        add_delivery(connection, a_delivery(project))
    for _ in range(2):
        add_delivery(connection, a_delivery(project, key=None))


async def test_a_delivery_that_comes_twice_at_once_is_kept_once(store: Store) -> None:
    project = await store.write(a_project)

    def accept(connection: Connection) -> int:
        found = find_delivery(connection, project, "github", "k")
        return found.id if found else add_delivery(connection, a_delivery(project))

    one, two = await overlapping(store, accept, accept)
    assert one == two


def test_a_large_body_is_kept_apart_and_goes_with_the_rest(connection: Connection) -> None:
    """Lists would otherwise pass over all of it."""
    project = a_project(connection)
    large, small = b"x" * (INLINE_BYTES + 1), b"y" * INLINE_BYTES
    ids = [
        add_delivery(connection, replace(a_delivery(project, key=None), body=body)) for body in (large, small)
    ]
    inline = select(func.length(deliveries.c.body)).where(deliveries.c.id.in_(ids)).order_by(deliveries.c.id)
    assert connection.execute(inline).scalars().all() == [0, INLINE_BYTES]
    assert [get_stored(connection, id).body for id in ids] == [large, small]
    assert remove_bodies(connection, ids) == ids
    assert [get_stored(connection, id).body for id in ids] == [b"", b""]
    assert connection.execute(select(bodies)).all() == []


def test_deliveries_are_listed_newest_first(connection: Connection) -> None:
    one, two = a_project(connection), a_project(connection)
    ids = [add_delivery(connection, a_delivery(one if n % 2 else two, key=str(n))) for n in range(6)]
    newest = ids[::-1]
    assert [delivery.id for delivery in list_deliveries(connection, DeliveryFilter())] == newest
    assert [delivery.id for delivery in list_deliveries(connection, DeliveryFilter(limit=2))] == newest[:2]
    assert [
        delivery.id for delivery in list_deliveries(connection, DeliveryFilter(before=newest[1]))
    ] == newest[2:]
    assert [delivery.id for delivery in list_deliveries(connection, DeliveryFilter(project=one))] == newest[
        ::2
    ]


def test_a_body_lies_in_one_place(connection: Connection) -> None:
    new = a_delivery(a_project(connection))
    add_delivery(connection, replace(new, body=None, body_file="1.z", key="in a file"))
    for body, body_file in ((None, None), (b"x", "1.z")):
        with pytest.raises(IntegrityError), attempt_at(connection):
            add_delivery(connection, replace(new, body=body, body_file=body_file, key=None))


def test_the_last_hundred_refusals_are_kept(connection: Connection) -> None:
    for n in range(130):
        add_refusal(connection, "tailrace", "github", f"reason {n}", {"n": str(n)})
    kept = list_refusals(connection)
    assert [refusal.why for refusal in kept] == [f"reason {n}" for n in reversed(range(30, 130))]
    assert kept[0].headers == {"n": "129"}
    assert kept[0].id - kept[-1].id == 99


def test_deliveries_are_found_by_when_they_came_also_where_ids_are_a_little_out_of_order(
    connection: Connection,
) -> None:
    """Two servers store at once: the one that began first may be the last to take its id."""
    project = a_project(connection)
    ids = [add_delivery(connection, a_delivery(project, key=str(n))) for n in range(6)]
    came = (1_000_000, 2_000_000, 4_000_000, 3_990_000, 5_000_000, 6_000_000)
    for id, at in zip(ids, came, strict=True):
        connection.execute(update(deliveries).where(deliveries.c.id == id).values(received_at=at))

    def found(since: int | None, until: int | None) -> list[int]:
        wanted = DeliveryFilter(since=since, until=until)
        return [ids.index(one.id) for one in list_deliveries(connection, wanted)]

    assert found(None, 4_000_000) == [3, 1, 0]
    assert found(4_000_000, None) == [5, 4, 2]
    assert found(3_990_000, 3_990_001) == [3]
    assert found(2_000_000, 5_000_000) == [3, 2, 1]
    assert found(6_000_001, None) == found(None, 1_000_000) == []
