"""The multiplexed WebSocket."""

from __future__ import annotations

import asyncio
import json
import random
import tracemalloc
from typing import Any

import pytest
from starlette.types import Message, Scope
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tailrace.api.live_connection import MOST_TOPICS, MOST_WORDS
from tailrace.api.watch_live import live_router
from tailrace.domain.spans import Span, Stream
from tailrace.live.connections import Connections
from tailrace.live.tail import TAIL_BYTES
from tests.support.live_house import LiveHouse, LiveText, OpenHouse, hear, in_time, say, until

WORDS = "grüße\n汉字\x1b[31m red \x1b[0m🙂\r\n\t\0 plain ascii text that goes on for a while\n"


async def test_a_log_is_followed_to_its_end(house: LiveHouse) -> None:
    """Frames carry the text with its spans in UTF-16; the last tells size and state."""
    house.append(7, "a🙂b汉".encode(), [Span(0, 5, Stream.STDOUT, 1), Span(6, 6, Stream.STDERR, 2)])
    async with house.live() as connection:
        await say(connection, op="watch", topic="log/7", from_=0)
        assert await hear(connection) == {
            "topic": "log/7",
            "chunk": {
                "offset": 0,
                "next": 9,
                "spans": [[0, 5, "stdout", 1, 0], [6, 6, "stderr", 2, 4]],
                "text": "a🙂b汉",
            },
        }
        house.append(7, b"!", [])
        assert await hear(connection) == {
            "topic": "log/7",
            "chunk": {"offset": 9, "next": 10, "spans": [[9, 6, "stderr", 2, 0]], "text": "!"},
        }
        house.end(7)
        assert await hear(connection) == {"topic": "log/7", "end": {"size": 10, "state": "closed"}}


async def test_many_logs_and_lists_share_a_connection(house: LiveHouse) -> None:
    """Each log is whole and in order, whatever the others do."""
    pick = random.Random(3)
    wholes = {log: (f"log {log}: {WORDS}" * 20).encode() for log in range(100, 120)}
    async with house.live() as connection:
        await say(connection, op="watch", topic="runs")
        for log in wholes:
            house.create(log)
            await say(connection, op="watch", topic=f"log/{log}", from_=0)
        texts = {log: LiveText(log) for log in wholes}

        async def write(log: int) -> None:
            at = 0
            while at < len(wholes[log]):
                size = pick.randint(1, 300)
                house.append(log, wholes[log][at : at + size])
                at += size
                await asyncio.sleep(0)
            house.end(log)

        writing = asyncio.gather(*(write(log) for log in wholes))
        kinds: set[str] = set()
        while not all(text.end for text in texts.values()):
            frame = await hear(connection)
            kind, _, log = frame["topic"].partition("/")
            kinds.add(kind)
            if kind == "log":
                texts[int(log)].take(frame)
        await writing
    assert kinds == {"runs", "log"}
    for log, text in texts.items():
        assert text.text == wholes[log].decode()


async def test_watchers_get_the_same_frames(house: LiveHouse) -> None:
    """Byte for byte: they name the topic, not the subscription."""
    async with house.live() as one, house.live() as two:
        for connection in (one, two):
            await say(connection, op="watch", topic="log/7")
        await until(lambda: len(house.hub.connections) == 2 and house.hub.watched(7), "the watchers")
        house.append(7, b"shared")
        house.end(7)
        first = [await in_time(one.recv()), await in_time(one.recv())]
        assert first == [await in_time(two.recv()), await in_time(two.recv())]


async def test_the_last_lines_come_with_the_gap_before_them(house: LiveHouse) -> None:
    """So that the client knows what it may load."""
    house.append(7, b"1\n2\n3\n")
    house.end(7)
    async with house.live() as connection:
        await say(connection, op="watch", topic="log/7", tail=2)
        text = await LiveText(7).until_end(connection)
    assert (text.text, text.gaps) == ("2\n3\n", [(0, 2)])


async def test_watching_again_begins_at_the_new_place(house: LiveHouse) -> None:
    """What a client does that saw a hole."""
    house.append(7, b"0123456789")
    async with house.live() as connection:
        for offset in (0, 4, 9, 2):
            await say(connection, op="watch", topic="log/7", from_=offset)
            assert (await hear(connection))["chunk"]["text"] == "0123456789"[offset:]
        house.end(7)
        assert "end" in await hear(connection)


async def test_what_is_not_watched_any_more_is_not_sent(house: LiveHouse) -> None:
    """The hub forgets it too."""
    house.create(8)
    async with house.live() as connection:
        await say(connection, op="watch", topic="log/7")
        await until(lambda: house.hub.watched(7), "the watcher")
        await say(connection, op="unwatch", topic="log/7")
        await say(connection, op="unwatch", topic="log/7")
        await until(lambda: not house.hub.watched(7), "the hub to forget")
        house.append(7, b"unseen")
        await say(connection, op="watch", topic="log/8")
        await until(lambda: house.hub.watched(8), "the watcher")
        house.append(8, b"seen")
        assert (await hear(connection))["chunk"]["text"] == "seen"


async def test_lists_come_whole_then_as_they_change(house: LiveHouse) -> None:
    """One load for all watchers."""
    house.rows["runs"] = {1: "one", 2: "two"}
    connections = [await house.live() for _ in range(10)]
    for connection in connections:
        await say(connection, op="watch", topic="runs")
    for connection in connections:
        assert await hear(connection) == {"topic": "runs", "items": {"1": "one", "2": "two"}}
    house.loads.clear()
    house.rows["runs"][2] = "zwei"
    for _ in range(50):
        house.bus.publish("runs", 2)
    for connection in connections:
        assert await hear(connection) == {"topic": "runs", "items": {"2": "zwei"}}
    assert house.loads == [("runs", frozenset({2}))]
    for connection in connections:
        await connection.close()


async def test_an_unknown_log_or_row_is_an_error_of_its_topic(house: LiveHouse) -> None:
    """The connection stays."""
    async with house.live() as connection:
        for topic in ("log/404", "run/404"):
            await say(connection, op="watch", topic=topic)
            frame = await hear(connection)
            assert frame["topic"] == topic
            assert frame["error"]["status"] == 404
        house.append(7, b"x")
        house.end(7)
        await say(connection, op="watch", topic="log/7", from_=5)
        frame = await hear(connection)
        assert (frame["topic"], frame["error"]["status"]) == ("log/7", 400)
        house.taken[8] = 1_732_000_000_000
        await say(connection, op="watch", topic="log/8")
        error = (await hear(connection))["error"]
        assert error["status"] == 410
        assert error["detail"] == "log 8 was removed by retention on 2024-11-19: older than 30 days"
        await say(connection, op="watch", topic="log/7")
        assert "chunk" in await hear(connection)


@pytest.mark.parametrize(
    ("message", "names"),
    [
        ("{", "JSON"),
        ("[]", "object"),
        ('"watch"', "object"),
        ("{}", "op"),
        ('{"op":"follow","topic":"runs"}', "op"),
        ('{"op":["watch"],"topic":"runs"}', "op"),
        ('{"op":"watch"}', "topic"),
        ('{"op":"watch","topic":7}', "topic"),
        ('{"op":"watch","topic":"log/x"}', "topic"),
        ('{"op":"watch","topic":"log/７"}', "topic"),
        ('{"op":"watch","topic":"log/0"}', "topic"),
        ('{"op":"watch","topic":"secrets"}', "topic"),
        ('{"op":"watch","topic":"log/7","form":1}', "form"),
        ('{"op":"watch","topic":"log/7","from":"1"}', "from"),
        ('{"op":"watch","topic":"log/7","from":-1}', "from"),
        ('{"op":"watch","topic":"log/7","from":1.5}', "from"),
        ('{"op":"watch","topic":"log/7","from":true}', "from"),
        ('{"op":"watch","topic":"log/7","from":99999999999999999999}', "from"),
        ('{"op":"watch","topic":"log/7","tail":1e9}', "tail"),
        ('{"op":"watch","topic":"log/7","from":1,"tail":1}', "from and tail"),
        ('{"op":"watch","topic":"log/7","whole":1}', "whole"),
        ('{"op":"watch","topic":"' + "x" * 5000 + '"}', "long"),
    ],
)
async def test_a_bad_message_is_answered_and_forgiven(house: LiveHouse, message: str, names: str) -> None:
    """The answer names what is wrong; the next message counts."""
    async with house.live() as connection:
        await connection.send(message)
        error = (await hear(connection))["error"]
        assert error["status"] == 400
        assert names in error["detail"]
        await say(connection, op="watch", topic="runs")
        assert (await hear(connection))["topic"] == "runs"


async def test_topics_on_a_connection_are_limited(house: LiveHouse) -> None:
    """One more is refused, and welcome after another has gone."""
    async with house.live() as connection:
        for log in range(1000, 1000 + MOST_TOPICS):
            house.create(log)
            await say(connection, op="watch", topic=f"log/{log}")
        await say(connection, op="watch", topic="log/7")
        frame = await hear(connection)
        assert frame["topic"] == "log/7"
        assert str(MOST_TOPICS) in frame["error"]["detail"]
        await say(connection, op="unwatch", topic="log/1000")
        await say(connection, op="watch", topic="log/7")
        await until(lambda: house.hub.watched(7), "the watcher")


async def _fall_behind(house: LiveHouse, connection: ClientConnection, **wish: Any) -> bytes:
    """The client catches up, then reads nothing while far more is appended than its connection can hold."""
    house.append(7, b"begin\n")
    await say(connection, op="watch", topic="log/7", **wish)
    assert (await hear(connection))["chunk"]["text"] == "begin\n"
    whole = b"begin\n"
    connection.transport.pause_reading()  # pyright: ignore[reportAttributeAccessIssue]
    for number in range(200):
        block = b"%d " % number * 40_000
        house.append(7, block)
        whole += block
        await asyncio.sleep(0)
    house.end(7)
    connection.transport.resume_reading()  # pyright: ignore[reportAttributeAccessIssue]
    return whole


async def test_a_slow_watcher_is_told_the_gap(house: LiveHouse) -> None:
    """What it got, with what the gaps name, is the log; and it sees the newest bytes."""
    async with house.live() as connection:
        whole = await _fall_behind(house, connection)
        text = await LiveText(7, 6).until_end(connection)
    assert text.next == len(whole)
    assert len(text.gaps) == 1
    start, stop = text.gaps[0]
    assert stop - start > TAIL_BYTES
    assert b"begin\n" + text.text.encode() == whole[:start] + whole[stop:]


async def test_one_who_wants_the_whole_is_never_skipped(house: LiveHouse) -> None:
    """However slow: a terminal or a file has no gaps to load later."""
    async with house.live() as connection:
        whole = await _fall_behind(house, connection, whole=True)
        text = await LiveText(7, 6).until_end(connection)
    assert text.gaps == []
    assert b"begin\n" + text.text.encode() == whole


async def test_a_client_that_never_reads_takes_bounded_memory(house: LiveHouse) -> None:
    """Neither bytes of logs, nor changes of lists, nor answers to its messages pile up."""
    connections = [await house.live() for _ in range(5)]
    for connection in connections:
        await say(connection, op="watch", topic="log/7", whole=True)
        await say(connection, op="watch", topic="runs")
    await until(lambda: house.hub.watched(7), "the watchers")
    for connection in connections:
        connection.transport.pause_reading()  # pyright: ignore[reportAttributeAccessIssue]
    row = "x" * 20_000
    block = random.Random(1).randbytes(TAIL_BYTES // 4)
    tracemalloc.start()
    try:
        for number in range(200):
            house.append(7, block)
            house.rows["runs"][number % 5] = row
            house.bus.publish("runs", number % 5)
            await asyncio.sleep(0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5 * 3 * 2**20 + 24 * TAIL_BYTES
    for connection in connections:
        connection.transport.abort()
    await until(lambda: len(house.hub.connections) == 0, "the hub to notice")


async def test_a_client_that_only_talks_is_not_listened_to(house: LiveHouse) -> None:
    """Once so many answers wait that it does not read, its messages are not taken either."""
    taken, stuck = 0, asyncio.Event()

    async def receive() -> Message:
        nonlocal taken
        taken += 1
        await asyncio.sleep(0)
        if taken == 1:
            return {"type": "websocket.connect"}
        return {"type": "websocket.receive", "text": "nonsense"}

    async def send(message: Message) -> None:
        if message["type"] == "websocket.send":
            await stuck.wait()

    scope: Scope = {"type": "websocket", "path": "/api/live", "root_path": "", "headers": []}
    serving = asyncio.create_task(live_router(house.hub, house.topics)(scope, receive, send))
    for _ in range(20_000):
        await asyncio.sleep(0)
    assert MOST_WORDS < taken < 2_000
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


async def test_an_idle_connection_beats(open_house: OpenHouse) -> None:
    """Whether it watches or not."""
    async with open_house(connections=Connections(0.02)) as house, house.live() as connection:
        assert [await hear(connection) for _ in range(3)] == [{"beat": 1}] * 3


async def test_one_that_hangs_up_is_forgotten(house: LiveHouse) -> None:
    """With all that it watched, whether it said goodbye or not."""
    for leave in ("close", "abort"):
        connection = await house.live()
        await say(connection, op="watch", topic="log/7")
        await until(lambda: house.hub.watched(7), "the watcher")
        if leave == "close":
            await connection.close()
        else:
            connection.transport.abort()
        await until(lambda: not house.hub.watched(7), "the hub to forget")
        await until(lambda: len(house.hub.connections) == 0, "the connection to go")


async def test_closing_tells_every_client_when_to_come_back(house: LiveHouse) -> None:
    """Then code 1012; one that comes later hears the same."""
    connections = [await house.live() for _ in range(20)]
    for connection in connections:
        await say(connection, op="watch", topic="log/7")
    await until(lambda: len(house.hub.connections) == 20, "the watchers")
    await house.hub.close()
    connections.append(await house.live())
    hints: set[int] = set()
    for connection in connections:
        hints.add(json.loads(await in_time(connection.recv()))["retry"])
        with pytest.raises(ConnectionClosed) as closed:
            await in_time(connection.recv())
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
    assert len(hints) > 5
    await until(lambda: len(house.hub.connections) == 0, "the connections to go")


async def test_when_there_is_no_room_the_handshake_is_refused(open_house: OpenHouse) -> None:
    """By a 503 that says when to come back; there is room again when one has left."""
    async with open_house(connections=Connections(most=5, most_of_one=1)) as house:
        async with house.live():
            with pytest.raises(InvalidStatus) as refused:
                await house.live()
            answer = refused.value.response
            assert answer.status_code == 503
            assert int(answer.headers["Retry-After"]) > 0
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert "1 connections" in json.loads(answer.body or b"")["detail"]
        await until(lambda: len(house.hub.connections) == 0, "it to leave")
        async with house.live() as connection:
            await say(connection, op="watch", topic="runs")
            assert (await hear(connection))["topic"] == "runs"
