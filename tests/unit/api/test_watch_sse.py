"""Logs as server-sent events: exact, resumable at every byte, bounded, and over at once when the server goes."""

from __future__ import annotations

import asyncio
import random
import socket
import tracemalloc

import httpx2
import pytest

from tailrace.domain.spans import Span, Stream
from tailrace.live.connections import Connections
from tailrace.live.tail import TAIL_BYTES
from tests.support.live_house import Event, LiveHouse, OpenHouse, events, in_time, text_of, until

WORDS = "grüße\n汉字\x1b[31m red \x1b[0m🙂\r\n\t\0 plain ascii text that goes on for a while\n"


def pieces_of(whole: bytes, pick: random.Random, most: int) -> list[bytes]:
    """Cut anywhere, in characters too."""
    pieces: list[bytes] = []
    at = 0
    while at < len(whole):
        size = pick.randint(1, most)
        pieces.append(whole[at : at + size])
        at += size
    return pieces


@pytest.mark.parametrize("seed", range(5))
async def test_the_texts_joined_are_the_log(house: LiveHouse, seed: int) -> None:
    """However its bytes were cut into appends and spans, and whenever the watcher came."""
    pick = random.Random(seed)
    whole = (WORDS * 30).encode() + pick.randbytes(300)
    watching: list[asyncio.Task[list[Event]]] = []
    for piece in pieces_of(whole, pick, 50):
        if pick.random() < 0.05:
            watching.append(asyncio.create_task(house.follow(7)))
        offset = house.logs.end(7)
        house.append(7, piece, [Span(offset, offset, pick.choice(list(Stream)), 1)])
        if pick.random() < 0.3:
            await asyncio.sleep(0)
    house.end(7)
    watching.append(asyncio.create_task(house.follow(7)))
    for found in await in_time(asyncio.gather(*watching)):
        assert text_of(found) == whole.decode("utf-8", "replace")
        assert found[0].data["offset"] == 0
        assert found[-1] == Event("end", len(whole), {"size": len(whole), "state": "closed"})


async def test_events_tell_stream_step_and_time(house: LiveHouse) -> None:
    """One for each span; the id is the offset of the byte after it."""
    house.append(7, b"outerr", [Span(0, 1_700_000_000_123, Stream.STDOUT, 1), Span(3, 5, Stream.STDERR, 2)])
    house.append(7, b"sys", [Span(6, 6, Stream.SYSTEM, 3)])
    house.end(7)
    assert await house.follow(7) == [
        Event(
            "chunk", 3, {"offset": 0, "time": 1_700_000_000_123, "stream": "stdout", "step": 1, "text": "out"}
        ),
        Event("chunk", 6, {"offset": 3, "time": 5, "stream": "stderr", "step": 2, "text": "err"}),
        Event("chunk", 9, {"offset": 6, "time": 6, "stream": "system", "step": 3, "text": "sys"}),
        Event("end", 9, {"size": 9, "state": "closed"}),
    ]


async def test_the_headers_keep_proxies_from_holding_it_back(house: LiveHouse) -> None:
    """Neither cached, nor transformed, nor buffered."""
    async with house.stream(7) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-cache, no-transform"
        assert response.headers["x-accel-buffering"] == "no"
    async with httpx2.AsyncClient(trust_env=False) as client:
        head = await client.head(f"{house.url}/api/logs/7/stream")
        assert (head.status_code, head.content) == (200, b"")


async def test_it_resumes_at_every_offset(house: LiveHouse) -> None:
    """By Last-Event-ID and by `from`, with the bytes from there; in mid-character with a replacement."""
    whole = "aé汉🙂z".encode()
    house.append(7, whole)
    for offset in range(len(whole)):
        for resuming in ({"last_event_id": offset}, {"query": f"?from={offset}"}):
            async with house.stream(7, **resuming) as response:  # pyright: ignore[reportArgumentType]
                async for event in events(response.aiter_bytes()):
                    assert (event.data["offset"], event.id) == (offset, len(whole))
                    assert event.data["text"] == whole[offset:].decode("utf-8", "replace")
                    break


async def test_a_client_that_reconnects_after_every_event_gets_the_log_once(house: LiveHouse) -> None:
    """While it grows: Last-Event-ID alone makes it whole."""
    pick = random.Random(11)
    whole = (WORDS * 10).encode()

    found: list[Event] = []

    async def write() -> None:
        for number, piece in enumerate(pieces_of(whole, pick, 40)):
            house.append(7, piece)
            if number % 2 == 0:
                seen = len(found)
                await until(lambda seen=seen: len(found) > seen, "the client to have had something")
        house.end(7)

    writing = asyncio.create_task(write())
    while not found or found[-1].kind != "end":
        async with house.stream(7, last_event_id=found[-1].id if found else None) as response:
            if response.status_code == 204:
                break  # it had the last byte before the log ended
            async for event in events(response.aiter_bytes()):
                found.append(event)
                break
    await writing
    assert text_of(found) == whole.decode()
    assert len(found) > 10


async def test_last_event_id_beats_from_and_tail(house: LiveHouse) -> None:
    """The browser sends it with the address that it first had."""
    house.append(7, b"0123456789")
    house.end(7)
    assert text_of(await house.follow(7, "?from=2", last_event_id=6)) == "6789"
    assert text_of(await house.follow(7, "?tail=99", last_event_id=8)) == "89"


async def test_the_last_lines_come_first_where_asked(house: LiveHouse) -> None:
    """After the gap before them, which is named; then what comes."""
    house.append(7, b"1\n2\n3\n")
    async with house.stream(7, "?tail=2") as response:
        coming = events(response.aiter_bytes())
        found = [await in_time(anext(coming)), await in_time(anext(coming))]
        house.append(7, b"4\n")
        house.end(7)
        found += [event async for event in coming]
    assert found[0] == Event("gap", 2, {"from": 0, "to": 2})
    assert text_of(found[:2]) == "2\n3\n"
    assert text_of(found) == "2\n3\n4\n"


async def test_after_the_end_there_is_nothing_to_come_back_for(house: LiveHouse) -> None:
    """204 tells EventSource to stop; who asks by `from` is told the end again."""
    house.append(7, b"0123456789")
    house.end(7, "truncated")
    for at_the_end in (10, 11):
        async with house.stream(7, last_event_id=at_the_end) as response:
            assert (response.status_code, await response.aread()) == (204, b"")
    assert await house.follow(7, "?from=10") == [Event("end", 10, {"size": 10, "state": "truncated"})]
    async with house.stream(7, "?from=11") as response:
        assert response.status_code == 400


async def test_one_who_resumes_behind_the_end_of_an_open_log_waits_for_its_bytes(house: LiveHouse) -> None:
    """The server lost them with the power; the agent sends them again."""
    house.append(7, b"0123")
    following = asyncio.create_task(house.follow(7, last_event_id=6))
    await until(lambda: house.hub.watched(7), "the watcher")
    house.append(7, b"45")
    house.append(7, b"6789")
    house.end(7)
    assert text_of(await in_time(following)) == "6789"


@pytest.mark.parametrize(
    ("query", "headers", "names"),
    [
        ("?from=x", {}, "from"),
        ("?tail=-1", {}, "tail"),
        ("?from=1&tail=1", {}, "from and tail"),
        ("", {"Last-Event-ID": "abc"}, "Last-Event-ID"),
    ],
)
async def test_a_bad_place_is_named(
    house: LiveHouse, query: str, headers: dict[str, str], names: str
) -> None:
    """400, as a problem."""
    async with httpx2.AsyncClient(trust_env=False) as client:
        response = await client.get(f"{house.url}/api/logs/7/stream{query}", headers=headers)
    assert response.status_code == 400
    assert response.json()["detail"].startswith(f"{names}:")


async def test_two_hundred_watchers_get_the_same(house: LiveHouse) -> None:
    """The same bytes as soon as they have joined, whole for each."""
    pick = random.Random(12)
    whole = (WORDS * 20).encode()
    cut = pieces_of(whole, pick, 60)
    for piece in cut[: len(cut) // 2]:
        house.append(7, piece)
    following = [asyncio.create_task(house.follow(7)) for _ in range(200)]
    for piece in cut[len(cut) // 2 :]:
        house.append(7, piece)
        await asyncio.sleep(0.002)
    house.end(7)
    for found in await in_time(asyncio.gather(*following)):
        assert text_of(found) == whole.decode()
    await until(lambda: not house.hub.watched(7), "the watchers to leave")
    assert len(house.hub.connections) == 0


async def test_a_client_that_hangs_up_is_noticed(open_house: OpenHouse) -> None:
    """At once: without a byte, or a beat, being written to it."""
    async with open_house(connections=Connections(3600)) as house:
        house.create(7)
        async with house.stream(7):
            await until(lambda: house.hub.watched(7), "the watcher")
        await until(lambda: not house.hub.watched(7), "the hub to notice")
        assert len(house.hub.connections) == 0


def _ask_and_never_read(house: LiveHouse) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", house.port))
    connection.sendall(b"GET /api/logs/7/stream HTTP/1.1\r\nHost: x\r\n\r\n")
    return connection


async def test_watchers_that_never_read_take_bounded_memory(house: LiveHouse) -> None:
    """Twenty of them, 64 MiB of log: what waits for each is a frame or two, the rest is in the store."""
    connections = [_ask_and_never_read(house) for _ in range(20)]
    await until(lambda: len(house.hub.connections) == 20, "the watchers")
    block = random.Random(1).randbytes(TAIL_BYTES // 4)
    tracemalloc.start()
    try:
        for _ in range(256):
            house.append(7, block)
            await asyncio.sleep(0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Random bytes are about three times as long in JSON: per watcher one frame of 128 KiB of log and what its
    # transport holds; and once for all the tail, the shared pieces and their frames.
    assert peak < 20 * 1.5 * 2**20 + 24 * TAIL_BYTES
    for connection in connections:
        connection.close()
    await until(lambda: len(house.hub.connections) == 0, "the hub to notice")


async def test_a_slow_reader_that_asks_for_the_whole_gets_every_byte(house: LiveHouse) -> None:
    """It lags, and is never skipped forward."""
    whole = b"".join(b"line %d of a long log\n" % number for number in range(400_000))
    async with house.stream(7, "?whole=1") as response:
        await until(lambda: house.hub.watched(7), "the watcher")
        for at in range(0, len(whole), 200_000):
            house.append(7, whole[at : at + 200_000])
            await asyncio.sleep(0)
        house.end(7)
        found = [event async for event in events(response.aiter_bytes())]
    assert text_of(found) == whole.decode()
    assert found[-1].kind == "end"


async def test_an_idle_stream_beats(open_house: OpenHouse) -> None:
    """A comment now and then, from one timer for all."""
    async with open_house(connections=Connections(0.02)) as house:
        house.create(7)
        async with house.stream(7) as one, house.stream(7) as two:
            for response in (one, two):
                found = events(response.aiter_bytes())
                assert [(await in_time(anext(found))).kind for _ in range(3)] == ["comment"] * 3


async def test_closing_ends_every_stream_with_a_hint(house: LiveHouse) -> None:
    """All at once, each with its own moment to come back; a new one is told the same."""
    following = [asyncio.create_task(house.follow(7)) for _ in range(50)]
    await until(lambda: len(house.hub.connections) == 50, "the watchers")
    await house.hub.close()
    hints = [found[-1] for found in await in_time(asyncio.gather(*following))]
    assert {hint.kind for hint in hints} == {"retry"}
    assert len({hint.data["ms"] for hint in hints}) > 5
    assert all(500 <= hint.data["ms"] <= 2500 for hint in hints)
    assert [event.kind for event in await house.follow(7)] == ["retry"]


async def test_closing_does_not_wait_for_one_that_never_reads(
    house: LiveHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is abandoned after a moment."""
    monkeypatch.setattr("tailrace.live.connections.CLOSE_GRACE_S", 0.05)
    connection = _ask_and_never_read(house)
    await until(lambda: len(house.hub.connections) == 1, "the watcher")
    block = bytes(TAIL_BYTES)
    for _ in range(20):
        house.append(7, block)
        await asyncio.sleep(0.005)
    await in_time(house.hub.close())
    await until(lambda: len(house.hub.connections) == 0, "the watcher to be abandoned")
    connection.close()


async def test_when_there_is_no_room_the_answer_is_a_hint(open_house: OpenHouse) -> None:
    """A 200, since EventSource gives up for good on an error; there is room again when one has left."""
    async with open_house(connections=Connections(most=2)) as house:
        house.create(7)
        async with house.stream(7), house.stream(7):
            await until(lambda: len(house.hub.connections) == 2, "the watchers")
            (hint,) = await house.follow(7)
            assert hint.kind == "retry"
            assert hint.data["ms"] >= 5000
            assert len(house.hub.connections) == 2
        await until(lambda: len(house.hub.connections) == 0, "them to leave")
        house.end(7)
        assert [event.kind for event in await house.follow(7)] == ["end"]


async def test_an_address_that_is_refused_takes_no_room(open_house: OpenHouse) -> None:
    """Neither does one that ended, nor a HEAD."""
    async with open_house(connections=Connections(most=1)) as house:
        house.create(7)
        async with httpx2.AsyncClient(trust_env=False) as client:
            address = f"{house.url}/api/logs"
            for _ in range(3):
                assert (await client.get(f"{address}/404/stream")).status_code == 404
                assert (await client.get(f"{address}/7/stream?tail=x")).status_code == 400
                assert (await client.head(f"{address}/7/stream")).status_code == 200
            house.end(7)
            for _ in range(3):
                answer = await client.get(f"{address}/7/stream", headers={"Last-Event-ID": "5"})
                assert answer.status_code == 204
        assert [event.kind for event in await house.follow(7)] == ["end"]
