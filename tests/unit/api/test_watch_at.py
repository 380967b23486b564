"""Following a log from a moment on."""

from __future__ import annotations

import httpx2
import pytest

from tailrace.domain.spans import Span, Stream
from tests.support.live_house import Event, LiveHouse, LiveText, hear, say, text_of

NOON = 1_795_262_400_000
"""2026-11-21T12:00:00Z, in ms."""


def three_seconds(house: LiveHouse) -> None:
    """Ten bytes each second from noon on."""
    for second in range(3):
        offset = house.logs.end(7)
        house.append(7, b"second %d\n\n" % second, [Span(offset, NOON + 1000 * second, Stream.STDOUT, 1)])


@pytest.mark.parametrize(
    ("at", "start"),
    [
        (str(NOON), 0),
        (str(NOON - 10**9), 0),
        (str(NOON + 1), 10),
        ("2026-11-21T12:00:02Z", 20),
        ("2026-11-21T13:00:01.5%2B01:00", 20),
        (str(NOON + 2001), 30),
    ],
)
async def test_events_begin_at_a_moment(house: LiveHouse, at: str, start: int) -> None:
    """With the first span that is not older, told as a gap; what comes later is there whatever its time."""
    three_seconds(house)
    house.append(7, b"set back\n", [Span(30, NOON - 5000, Stream.STDOUT, 1)])
    house.end(7)
    found = await house.follow(7, f"?at={at}")
    start = 39 if start == 30 else start
    if start:
        assert found[0] == Event("gap", start, {"from": 0, "to": start})
    assert text_of(found).encode() == house.logs.read(7, start, 39)


async def test_frames_begin_at_a_moment(house: LiveHouse) -> None:
    """As ms or as ISO 8601."""
    three_seconds(house)
    house.end(7)
    for at in (NOON + 1000, "2026-11-21T12:00:01Z"):
        async with house.live() as connection:
            await say(connection, op="watch", topic="log/7", at=at)
            seen = await LiveText(7).until_end(connection)
            assert (seen.gaps, seen.text) == ([(0, 10)], "second 1\n\nsecond 2\n\n")


async def test_a_log_without_bytes_begins_at_its_start(house: LiveHouse) -> None:
    """What comes is not older than now."""
    house.known.add(8)
    async with house.live() as connection:
        await say(connection, op="watch", topic="log/8", at=NOON)
        await say(connection, op="watch", topic="log/9", at=NOON)
        assert (await hear(connection))["error"]["status"] == 404
        house.create(8)
        house.append(8, b"first\n")
        assert (await hear(connection))["chunk"]["text"] == "first\n"


@pytest.mark.parametrize("query", ["?at=noon", "?at=5&from=0", "?at=5&tail=1", "?at=-1"])
async def test_a_moment_that_is_none_is_named(house: LiveHouse, query: str) -> None:
    """Before anything is sent."""
    async with httpx2.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"{house.url}/api/logs/7/stream{query}")
    assert answer.status_code == 400
    assert "at" in answer.json()["detail"]


@pytest.mark.parametrize("wish", [{"at": "noon"}, {"at": True}, {"at": 5, "tail": 1}, {"at": 1.5}])
async def test_so_on_a_websocket(house: LiveHouse, wish: dict[str, object]) -> None:
    """The connection goes on."""
    async with house.live() as connection:
        await say(connection, op="watch", topic="log/7", **wish)
        answer = await hear(connection)
        assert (answer["topic"], answer["error"]["status"]) == ("log/7", 400)
