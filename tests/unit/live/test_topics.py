"""Topics: loaded once, encoded once, whole for who is new or too slow."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from tailrace.live.bus_memory import MemoryBus
from tailrace.live.signal import Signal
from tailrace.live.topics import KEPT_FRAMES, Follows, Missing, TopicHub
from tailrace.live.websocket import payload_of
from tests.support.live_house import in_time


class Rows:
    """What the store would say, and how often it was asked."""

    def __init__(self) -> None:
        self.rows = {1: "one", 2: "two"}
        self.loads: list[tuple[str, frozenset[int] | None]] = []
        self.fails = 0
        self.held = asyncio.Event()
        self.held.set()

    async def load(self, topic: str, changed: frozenset[int] | None) -> bytes | None:
        self.loads.append((topic, changed))
        rows = {str(id): value for id, value in self.rows.items() if changed is None or id in changed}
        await self.held.wait()
        if self.fails:
            self.fails -= 1
            raise RuntimeError("the database is away")
        return json.dumps(rows).encode() if topic == "runs" else None


class Watcher:
    def __init__(self, hub: TopicHub, topic: str = "runs") -> None:
        self.signal = Signal()
        self.frames: list[bytes] = []
        self.cursor = hub.watch(topic, self.signal.set)
        self.rows: dict[str, Any] = {}

    async def next(self) -> Any:
        while (frame := self.cursor.take()) is None:
            await in_time(self.signal.wait())
        if isinstance(frame, Missing):
            return frame
        self.frames.append(frame)
        self.rows |= json.loads(payload_of(frame))
        return json.loads(payload_of(frame))


@pytest.fixture
async def bus() -> AsyncGenerator[MemoryBus]:
    started = MemoryBus()
    await started.start()
    yield started
    await started.close()


@pytest.fixture
def rows() -> Rows:
    return Rows()


@pytest.fixture
async def hub(bus: MemoryBus, rows: Rows) -> AsyncGenerator[TopicHub]:
    made = TopicHub(bus, rows.load)
    yield made
    await made.close()


async def test_a_new_watcher_gets_the_whole_state_then_what_changed(
    hub: TopicHub, bus: MemoryBus, rows: Rows
) -> None:
    """The frame after the first names only what was woken."""
    watcher = Watcher(hub)
    assert await watcher.next() == {"1": "one", "2": "two"}
    rows.rows[2] = "zwei"
    bus.publish("runs", 2)
    assert await watcher.next() == {"2": "zwei"}


async def test_a_burst_of_wakes_is_one_load_for_all(hub: TopicHub, bus: MemoryBus, rows: Rows) -> None:
    """Ids are gathered; every watcher gets the same object."""
    watchers = [Watcher(hub) for _ in range(20)]
    for watcher in watchers:
        await watcher.next()
    assert rows.loads == [("runs", None)]
    for run in [1, 2, 1, 2, 1]:
        bus.publish("runs", run)
    for watcher in watchers:
        assert await watcher.next() == {"1": "one", "2": "two"}
    assert rows.loads[1:] == [("runs", frozenset({1, 2}))]
    assert len({id(watcher.frames[-1]) for watcher in watchers}) == 1


async def test_a_change_while_its_rows_are_loaded_is_loaded_again(
    hub: TopicHub, bus: MemoryBus, rows: Rows
) -> None:
    """The load under way may have read the row before it changed."""
    watcher = Watcher(hub)
    await watcher.next()
    rows.held.clear()
    bus.publish("runs", 1)
    while len(rows.loads) < 2:
        await asyncio.sleep(0)
    rows.rows[1] = "changed"
    bus.publish("runs", 1)
    await asyncio.sleep(0)
    rows.held.set()
    assert await watcher.next() == {"1": "one"}
    assert await watcher.next() == {"1": "changed"}


async def test_a_wake_without_a_note_reloads_the_whole(hub: TopicHub, bus: MemoryBus, rows: Rows) -> None:
    """For all watchers."""
    one, two = Watcher(hub), Watcher(hub)
    await one.next()
    await two.next()
    rows.rows = {3: "three"}
    bus.publish("runs")
    assert await one.next() == await two.next() == {"3": "three"}
    assert rows.loads == [("runs", None), ("runs", None)]


async def test_the_same_state_is_not_sent_twice(hub: TopicHub, bus: MemoryBus, rows: Rows) -> None:
    """Unless something else was sent in between: who was told of a change is told when that is taken back."""
    watcher = Watcher(hub)
    before = await watcher.next()
    bus.publish("runs")
    late = Watcher(hub)
    assert await late.next() == before
    assert watcher.cursor.take() is None
    rows.rows = {1: "changed", 2: "two"}
    bus.publish("runs", 1)
    assert await watcher.next() == {"1": "changed"}
    rows.rows = {1: "one", 2: "two"}
    bus.publish("runs")
    assert await watcher.next() == before


async def test_a_topic_can_follow_the_wakes_of_others(bus: MemoryBus, rows: Rows) -> None:
    """Whatever their notes, it is loaded whole; only what makes a difference is sent."""
    hub = TopicHub(bus, rows.load, {"runs": Follows("jobs", rest_s=0.01)})
    watcher = Watcher(hub)
    before = await watcher.next()
    bus.publish("runs")
    bus.publish("jobs", 7)
    await in_time(_loaded(rows, 2))
    assert watcher.cursor.take() is None
    rows.rows = {3: "three"}
    bus.publish("jobs", 8)
    assert await watcher.next() == {"3": "three"} != before
    assert {changed for _, changed in rows.loads} == {None}
    await hub.close()


async def _loaded(rows: Rows, times: int) -> None:
    while len(rows.loads) < times:
        await asyncio.sleep(0)


async def test_a_change_before_the_first_frame_is_in_it_or_after_it(
    hub: TopicHub, bus: MemoryBus, rows: Rows
) -> None:
    """Whoever joins while another's frame is loaded misses nothing."""
    first = Watcher(hub)
    await first.next()
    rows.held.clear()
    bus.publish("runs", 1)
    while len(rows.loads) < 2:
        await asyncio.sleep(0)
    late = Watcher(hub)
    rows.rows[1] = "newest"
    bus.publish("runs", 1)
    rows.held.set()
    while late.rows.get("1") != "newest":
        await late.next()
    while first.rows.get("1") != "newest":
        await first.next()


async def test_one_that_does_not_take_is_sent_the_whole_anew(
    hub: TopicHub, bus: MemoryBus, rows: Rows
) -> None:
    """Frames that wait for a slow watcher are bounded; it ends up with the same rows."""
    slow, quick = Watcher(hub), Watcher(hub)
    await slow.next()
    await quick.next()
    for number in range(KEPT_FRAMES + 5):
        rows.rows[number] = f"value {number}"
        bus.publish("runs", number)
        await quick.next()
    assert len(slow.cursor.topic.frames) == KEPT_FRAMES
    assert len(await slow.next()) == len(rows.rows)
    assert slow.rows == quick.rows
    assert slow.cursor.take() is None


async def test_one_that_is_a_little_behind_gets_every_frame(
    hub: TopicHub, bus: MemoryBus, rows: Rows
) -> None:
    """In their order, without a load of its own."""
    slow, quick = Watcher(hub), Watcher(hub)
    await slow.next()
    await quick.next()
    for number in (1, 2, 1):
        rows.rows[number] += "!"
        bus.publish("runs", number)
        await quick.next()
    assert [await slow.next() for _ in range(3)] == [{"1": "one!"}, {"2": "two!"}, {"1": "one!!"}]


async def test_a_topic_that_is_not_there_is_missing(hub: TopicHub) -> None:
    """The loader says so."""
    watcher = Watcher(hub, "run/404")
    assert await watcher.next() == Missing("run/404")


async def test_a_load_that_fails_is_repeated(
    hub: TopicHub, bus: MemoryBus, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the first frame nor a change is lost."""
    monkeypatch.setattr("tailrace.live.topics.RETRY_S", 0.01)
    rows.fails = 1
    watcher = Watcher(hub)
    assert await watcher.next() == {"1": "one", "2": "two"}
    rows.fails = 2
    bus.publish("runs", 1)
    assert await watcher.next() == {"1": "one"}


async def test_a_topic_without_watchers_loads_nothing(hub: TopicHub, bus: MemoryBus, rows: Rows) -> None:
    """And one that comes back begins with the whole."""
    watcher = Watcher(hub)
    await watcher.next()
    hub.leave(watcher.cursor)
    bus.publish("runs", 1)
    other = Watcher(hub, "agents")
    assert await other.next() == Missing("agents")
    assert rows.loads == [("runs", None), ("agents", None)]
    assert await Watcher(hub).next() == {"1": "one", "2": "two"}
