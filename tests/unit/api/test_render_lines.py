"""Settled lines over HTTP: read whole or in part, and followed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import httpx2
import pytest

from tailrace.domain.settled import settle
from tailrace.domain.spans import Span, Stream
from tailrace.live.connections import Connections
from tests.support.live_house import Event, LiveHouse, OpenHouse, events, in_time, text_of, until

BARS = (
    b"get\n" + b"".join(b"\r%3d %%" % number for number in range(101)) + b"\nbuild\n\x1b[A\x1b[2Kbuilt\nlast"
)
SETTLED = "get\n100 %\nbuilt\nlast"


async def read(house: LiveHouse, query: str, **headers: str) -> httpx2.Response:
    async with httpx2.AsyncClient(trust_env=False) as client:
        return await client.get(f"{house.url}/api/logs/7{query}", headers=headers)


async def next_chunk(coming: AsyncGenerator[Event]) -> Event:
    """The next event that is no comment."""
    while (event := await in_time(anext(coming))).kind == "comment":
        pass
    return event


async def test_a_log_is_read_as_it_settled(house: LiveHouse) -> None:
    """All of it, or the bytes that other parameters choose; the bytes themselves stay."""
    house.append(7, BARS)
    answer = await read(house, "?render=lines")
    assert (answer.status_code, answer.text) == (200, SETTLED)
    assert answer.headers["x-log-size"] == str(len(BARS))
    assert "content-length" not in answer.headers
    assert (await read(house, "?render=lines&tail=1")).text == "last"
    assert (await read(house, "?render=lines&to=20")).content == settle(BARS[:20])
    assert (await read(house, "?render=lines", Range="bytes=0-3")).text == SETTLED
    assert (await read(house, "")).content == BARS
    wrong = await read(house, "?render=html")
    assert (wrong.status_code, wrong.json()["detail"].split(";")[0]) == (400, "render: 'html' is unknown")


async def test_streams_are_chosen_before(house: LiveHouse) -> None:
    """What another stream wrote into the bar is not in it."""
    house.append(
        7,
        b"10%oops\r50%\n",
        [Span(0, 1, Stream.STDOUT, 1), Span(3, 1, Stream.STDERR, 1), Span(7, 1, Stream.STDOUT, 1)],
    )
    assert (await read(house, "?render=lines&stream=stdout")).text == "50%\n"
    assert (await read(house, "?render=lines")).text == "50%oops\n"


async def test_a_large_log_settles_in_bounded_blocks(house: LiveHouse) -> None:
    """Lines that are cut by the blocks in which it is read are whole."""
    data = b"".join(b"wait\rline %d\n" % number for number in range(60_000))
    house.append(7, data)
    assert (await read(house, "?render=lines")).content == data.replace(b"wait\r", b"")


async def test_events_carry_settled_lines(house: LiveHouse) -> None:
    """Each follows the one before; a line that is rewritten is sent once, when it has ended."""
    house.append(7, BARS[:50])
    watching = asyncio.create_task(house.follow(7, "?render=lines"))
    for at in range(50, len(BARS), 7):
        house.append(7, BARS[at : at + 7])
        await asyncio.sleep(0)
    house.end(7)
    found = await in_time(watching)
    assert text_of(found) == SETTLED
    assert found[-1] == Event("end", len(BARS), {"size": len(BARS), "state": "closed"})
    assert set(found[0].data) == {"offset", "time", "step", "text"}


async def test_whole_lines_do_not_wait_for_more(house: LiveHouse) -> None:
    """After a moment without output they are sent; the line under construction waits."""
    house.append(7, b"one\ntwo\n50%")
    async with house.stream(7, "?render=lines") as response:
        coming = events(response.aiter_bytes())
        event = await next_chunk(coming)
        assert (event.id, event.data["offset"], event.data["text"]) == (8, 0, "one\ntwo\n")
        house.append(7, b"\r60%\n")
        event = await next_chunk(coming)
        assert (event.id, event.data["offset"], event.data["text"]) == (16, 8, "60%\n")


async def test_it_resumes_where_lines_had_settled(house: LiveHouse) -> None:
    """An event's id is a place at which what follows settles the same."""
    data = b"".join(b"wait\rline %d\n" % number for number in range(200)) + b"end"
    house.append(7, data)
    house.end(7)
    found = await house.follow(7, "?render=lines")
    for event in found[:-2]:
        again = await house.follow(7, "?render=lines", last_event_id=event.id)
        rest = data[event.id or 0 :].replace(b"wait\r", b"").decode()
        assert text_of(again) == rest
    async with house.stream(7, "?render=lines", last_event_id=len(data)) as response:
        assert response.status_code == 204


async def test_it_begins_where_asked(house: LiveHouse) -> None:
    """As the stream of bytes does."""
    house.append(7, b"a\nb\rc\nd\n")
    house.end(7)
    assert text_of(await house.follow(7, "?render=lines&tail=2")) == "c\nd\n"
    assert text_of(await house.follow(7, "?render=lines&from=4")) == "c\nd\n"
    async with house.stream(7, "?render=html") as response:
        assert response.status_code == 400


async def test_it_ends_with_the_server_and_with_its_client(open_house: OpenHouse) -> None:
    """A hint when to come back; and nothing stays of one that has gone."""
    async with open_house(connections=Connections(0.05)) as house:
        house.create(7)
        house.append(7, b"on\n")
        async with house.stream(7, "?render=lines") as response:
            coming = events(response.aiter_bytes())
            kinds: set[str] = set()
            while kinds != {"chunk", "comment"}:
                kinds.add((await in_time(anext(coming))).kind)
        await until(
            lambda: not house.hub.watched(7) and not len(house.hub.connections), "the stream to be let go"
        )
        async with house.stream(7, "?render=lines") as response:
            coming = events(response.aiter_bytes())
            await in_time(anext(coming))
            await in_time(house.hub.close())
            assert "retry" in [event.kind async for event in coming]


async def test_it_takes_room_like_any_other(open_house: OpenHouse) -> None:
    """Where there is none, the answer is a hint."""
    async with open_house(connections=Connections(15, 1)) as house:
        house.create(7)
        async with house.stream(7, "?render=lines"):
            await until(lambda: len(house.hub.connections) == 1, "the first")
            found = await house.follow(7, "?render=lines")
            assert [event.kind for event in found] == ["retry"]


@pytest.mark.parametrize("at", [0, 3])
async def test_head_is_answered(house: LiveHouse, at: int) -> None:
    """With no body."""
    house.append(7, b"on\n")
    async with httpx2.AsyncClient(trust_env=False) as client:
        for path in ("/stream?render=lines", "?render=lines"):
            answer = await client.head(f"{house.url}/api/logs/7{path}&from={at}")
            assert (answer.status_code, answer.content) == (200, b"")
