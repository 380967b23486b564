"""Deliveries whose body lies in a file of another server, as it did in older versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from tailrace.api.replays import Replays
from tailrace.domain.errors import Conflict
from tailrace.live.bus_memory import MemoryBus
from tailrace.sources.base import Source
from tailrace.sources.registry import Sources
from tailrace.store import open_store
from tailrace.store.deliveries import NewDelivery, add_delivery
from tests.unit.store.world import a_project


async def test_the_headers_are_shown_and_no_path_is(tmp_path: Path) -> None:
    async def find(name: str, project: int) -> Source:
        return Sources().source(name, None)

    store = await open_store(f"sqlite:///{tmp_path / 'tailrace.db'}")
    project = await store.write(a_project)
    new = NewDelivery(project, "github", "1", "push", {"a": "b"}, None, "1.zlib", "accepted", None)
    id = await store.write(add_delivery, new)
    replays = Replays(store, MemoryBus(), find, tmp_path / "deliveries")
    shown = await replays.look(id)
    assert (shown.headers, shown.body, shown.size) == ({"a": "b"}, None, 0)
    with pytest.raises(Conflict, match="file of the server that took it in") as refused:
        await replays.body(id)
    assert str(tmp_path) not in str(refused.value)
    await store.close()
