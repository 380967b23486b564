"""The open connections: how many there may be, and the beat that all of them get."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from tailrace.domain.errors import Crowded
from tailrace.live.connections import Client, Connections
from tests.support.live_house import in_time, until


class Idle:
    def __init__(self, name: str = "someone", token: int = 1, address: str = "10.0.0.1") -> None:
        self.client = Client(token, name, address)
        self.calls: Counter[str] = Counter()

    def beat(self) -> None:
        self.calls["beat"] += 1

    def close(self) -> None:
        self.calls["close"] += 1

    def abandon(self) -> None:
        self.calls["abandon"] += 1


async def test_more_than_the_most_are_refused_until_some_leave() -> None:
    """In all; who leaves twice makes room once."""
    connections = Connections(most=3)
    here = [Idle(str(number)) for number in range(3)]
    for one in here:
        connections.join(one)
    with pytest.raises(Crowded, match="3 watchers") as refused:
        connections.join(Idle("late"))
    assert refused.value.after_s > 0
    connections.leave(here[0])
    connections.leave(here[0])
    connections.join(Idle("late"))
    with pytest.raises(Crowded):
        connections.join(Idle("later"))
    assert len(connections) == 3


async def test_one_client_cannot_take_all_the_room() -> None:
    """Others still find some; the error names the one, and what it can do."""
    connections = Connections(most=10, most_of_one=2)
    greedy = [Idle("greedy") for _ in range(2)]
    for one in greedy:
        connections.join(one)
    with pytest.raises(Crowded, match=r"greedy at 10\.0\.0\.1 has 2 connections") as refused:
        connections.join(Idle("greedy"))
    assert "/api/live" in str(refused.value)
    connections.join(Idle("modest"))
    connections.leave(greedy[1])
    connections.join(Idle("greedy"))
    assert len(connections) == 3


async def test_the_connections_of_a_token_end_and_no_others() -> None:
    """Wherever it is used; by its id, as a name may be another one's tomorrow."""
    connections = Connections()
    here, there, other = Idle("ada", 7), Idle("ada", 7, "10.0.0.2"), Idle("ada", 8)
    for one in (here, there, other):
        connections.join(one)
    assert connections.tokens == {7, 8}
    connections.end({7})
    assert [one.calls["close"] for one in (here, there, other)] == [1, 1, 0]
    for one in (here, there):
        connections.leave(one)
    assert connections.tokens == {8}


async def test_everyone_gets_each_beat_once() -> None:
    """Spread over the time between two beats: in no moment all of them."""
    connections = Connections(beat_s=0.2)
    many = [Idle() for _ in range(500)]
    for one in many:
        connections.join(one)
    most = 0
    beaten = 0
    while not all(one.calls["beat"] for one in many):
        await asyncio.sleep(0)
        now = sum(one.calls["beat"] for one in many)
        most, beaten = max(most, now - beaten), now
    assert most < 250
    assert max(one.calls["beat"] for one in many) <= 2
    left = many.pop()
    connections.leave(left)
    heard = left.calls["beat"]
    before = many[0].calls["beat"]
    await until(lambda: many[0].calls["beat"] > before + 1, "two more beats")
    assert left.calls["beat"] == heard


async def test_closing_gives_a_moment_then_abandons() -> None:
    """Those that could say goodbye are not abandoned; one that joins later is closed at once."""
    connections = Connections()

    class Polite(Idle):
        def close(self) -> None:
            super().close()
            asyncio.get_running_loop().call_soon(connections.leave, self)

    polite, stuck = Polite(), Idle()
    connections.join(polite)
    connections.join(stuck)
    await in_time(connections.close())
    assert (polite.calls, stuck.calls) == (Counter(close=1), Counter(close=1, abandon=1))
    late = Idle()
    connections.join(late)
    assert late.calls == Counter(close=1)


async def test_closing_with_nobody_there_takes_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor after all have left."""
    monkeypatch.setattr("tailrace.live.connections.CLOSE_GRACE_S", 3600)
    connections = Connections()
    one = Idle()
    connections.join(one)
    connections.leave(one)
    await in_time(connections.close())
