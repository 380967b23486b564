"""The bus within one process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator

import pytest

from tailrace.live.bus_memory import MemoryBus
from tests.support.live_house import until


@pytest.fixture
async def bus() -> AsyncGenerator[MemoryBus]:
    started = MemoryBus()
    await started.start()
    yield started
    await started.close()


async def test_a_wake_reaches_every_subscriber_of_its_scope(bus: MemoryBus) -> None:
    """With its note, in the event loop's thread, and not before `publish` has returned."""
    heard: list[tuple[str, int | None, int]] = []
    for name in ("one", "two"):
        bus.subscribe("runs", lambda note, name=name: heard.append((name, note, threading.get_ident())))
    bus.subscribe("agents", lambda note: heard.append(("agents", note, 0)))
    bus.publish("runs", 12)
    assert heard == []
    await until(lambda: heard, "a wake")
    assert heard == [("one", 12, threading.get_ident()), ("two", 12, threading.get_ident())]


async def test_no_wake_from_another_thread_is_lost(bus: MemoryBus) -> None:
    """Eight threads publish at once; every note arrives once."""
    heard: list[int | None] = []
    bus.subscribe("runs", heard.append)

    def publish(first: int) -> None:
        for note in range(first, first + 500):
            bus.publish("runs", note)

    await asyncio.gather(*(asyncio.to_thread(publish, first) for first in range(0, 4000, 500)))
    await until(lambda: len(heard) >= 4000, "all wakes")
    assert sorted(note for note in heard if note is not None) == list(range(4000))


async def test_who_unsubscribed_hears_nothing(bus: MemoryBus) -> None:
    """Twice is no error, and others stay."""
    heard: list[str] = []
    leave = bus.subscribe("runs", lambda _: heard.append("left"))
    bus.subscribe("runs", lambda _: heard.append("stays"))
    leave()
    leave()
    bus.publish("runs")
    await until(lambda: heard, "a wake")
    assert heard == ["stays"]


async def test_a_subscriber_that_fails_does_not_silence_the_others(bus: MemoryBus) -> None:
    """Its error is logged."""
    heard: list[int | None] = []

    def fail(_: int | None) -> None:
        raise RuntimeError("broken")

    bus.subscribe("runs", fail)
    bus.subscribe("runs", heard.append)
    bus.publish("runs", 1)
    bus.publish("runs", 2)
    await until(lambda: len(heard) == 2, "both wakes")


async def test_before_start_and_after_close_it_reaches_nobody() -> None:
    """At most once: a wake without a loop to deliver it is dropped."""
    bus = MemoryBus()
    heard: list[int | None] = []
    bus.subscribe("runs", heard.append)
    bus.publish("runs", 1)
    await bus.start()
    bus.publish("runs", 2)
    await until(lambda: heard, "a wake")
    bus.publish("runs", 3)
    await bus.close()
    bus.publish("runs", 4)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert heard == [2]
