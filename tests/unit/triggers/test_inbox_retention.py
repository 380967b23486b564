"""Retention of deliveries: headers and bodies go, what came of them stays."""

from __future__ import annotations

import os
import time
import zlib
from pathlib import Path

from sqlalchemy import Connection, update

from tailrace.store import Store
from tailrace.store.deliveries import (
    DeliveryFilter,
    NewDelivery,
    add_delivery,
    find_delivery,
    find_replayable,
    get_delivery,
    get_stored,
)
from tailrace.store.tables import delivery as deliveries
from tailrace.triggers.inbox_retention import STRAY_S, InboxRetention
from tests.unit.store.world import a_project

DAY_MS = 24 * 3600 * 1000


def _add(connection: Connection, project: int, key: str, days_ago: int, file: str | None = None) -> int:
    body = None if file else zlib.compress(b"{}")
    id = add_delivery(
        connection, NewDelivery(project, "github", key, "push", {"a": "b"}, body, file, "accepted", None)
    )
    ago = deliveries.c.received_at - days_ago * DAY_MS
    connection.execute(update(deliveries).where(deliveries.c.id == id).values(received_at=ago))
    return id


def _file(folder: Path, name: str, age_s: float = 0.0) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(zlib.compress(b"{}"))
    os.utime(path, (time.time() - age_s, time.time() - age_s))
    return path


async def test_what_is_old_loses_headers_and_body_and_keeps_the_rest(store: Store, tmp_path: Path) -> None:
    project = await store.write(a_project)
    old = await store.write(_add, project, "old", 8, "large.zlib")
    new = await store.write(_add, project, "new", 6)
    large = _file(tmp_path / "bodies", "large.zlib")
    retention = InboxRetention(store, tmp_path / "bodies", 7)
    assert [(one.id, one.why) for one in await retention.look()] == [(old, "it was kept for 7 days")]
    assert large.exists(), "looking takes nothing"
    assert [one.id for one in await retention.apply()] == [old]
    assert not large.exists()
    stored = await store.read(get_stored, old)
    assert (stored.headers, stored.body, stored.body_file) == ({}, b"", None)
    assert (await store.read(get_delivery, old)).removed_at is not None
    known = await store.read(find_delivery, project, "github", "old")
    assert known is not None
    assert known.id == old, "the same delivery again is still told"
    assert await store.read(find_replayable, DeliveryFilter(project=project)) == [new]
    assert await retention.apply() == []


async def test_without_a_rule_nothing_goes(store: Store, tmp_path: Path) -> None:
    await store.write(_add, await store.write(a_project), "old", 1000)
    assert await InboxRetention(store, tmp_path, 0).apply() == []


async def test_files_that_a_server_left_behind_go_when_they_are_old(store: Store, tmp_path: Path) -> None:
    await store.write(_add, await store.write(a_project), "one", 0, "named.zlib")
    named = _file(tmp_path, "named.zlib", 2 * STRAY_S)
    stray, fresh = _file(tmp_path, "stray.zlib", 2 * STRAY_S), _file(tmp_path, "fresh.zlib")
    other = _file(tmp_path, "notes.txt", 2 * STRAY_S)
    await InboxRetention(store, tmp_path, 0).apply()
    assert [path.exists() for path in (named, stray, fresh, other)] == [True, False, True, True]
