"""The wire to an agent, over a transport that was taken from the server and over an ASGI server's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

import pytest
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tailrace.api.agent_line import MOST_WAITING_BYTES, AgentLine, AsgiLine, SocketLine, take_line
from tests.support.live_house import in_time, serving, until

MOST_BYTES = 1024 * 1024


class Bench:
    """The server's end of each connection, the newest last; `hold` keeps the server from reading."""

    def __init__(self, port: int, lines: asyncio.Queue[AgentLine]) -> None:
        self.port = port
        self._lines = lines

    async def open(self) -> tuple[ClientConnection, AgentLine]:
        client = await connect(f"ws://127.0.0.1:{self.port}/", compression=None, close_timeout=1)
        return client, await in_time(self._lines.get())


@pytest.fixture(params=[True, False], ids=["taken", "asgi"])
async def bench(request: pytest.FixtureRequest) -> AsyncGenerator[Bench]:
    """A server that keeps each connection until its end."""
    lines = asyncio.Queue[AgentLine]()
    ends: list[asyncio.Event] = []

    async def serve(socket: WebSocket) -> None:
        line = await take_line(socket, MOST_BYTES)
        assert isinstance(line, SocketLine if request.param else AsgiLine)
        lines.put_nowait(line)
        ends.append(asyncio.Event())
        await ends[-1].wait()

    async with serving(Starlette(routes=[WebSocketRoute("/", serve)]), detached=request.param) as port:
        yield Bench(port, lines)
        for end in ends:
            end.set()


async def collect(line: AgentLine, count: int) -> list[str | bytes]:
    """As many messages, in however many turns they come."""
    came: list[str | bytes] = []
    while len(came) < count and (more := await in_time(line.receive())):
        came += more
    return came


async def test_messages_come_whole_and_in_order(bench: Bench) -> None:
    """Text and bytes, small and large, both ways."""
    client, line = await bench.open()
    sent = ["hello", b"\x00" * 300_000, "{}", b"", b"\xff" * (MOST_BYTES - 100), "é"]
    for message in sent:
        await client.send(message)
    assert await collect(line, len(sent)) == sent
    for number in range(100):
        line.say(b'{"n":%d}' % number)
    assert [await in_time(client.recv()) for _ in range(100)] == [
        f'{{"n":{number}}}' for number in range(100)
    ]
    await client.close()


async def test_the_end_comes_after_what_came_before_it(bench: Bench) -> None:
    """What an agent said last is heard, then nothing."""
    client, line = await bench.open()
    for _ in range(50):
        await client.send(b"x" * 10_000)
    await client.close()
    assert len(await collect(line, 51)) == 50
    assert await in_time(line.receive()) == []
    line.say(b"nobody hears this")


async def test_the_agent_is_told_why(bench: Bench) -> None:
    """A connection that the server ends carries code and reason."""
    client, line = await bench.open()
    await line.close(1012, "the server is going away")
    with pytest.raises(ConnectionClosed) as caught:
        await in_time(client.recv())
    assert caught.value.rcvd is not None
    assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (1012, "the server is going away")


async def test_a_lost_connection_ends_it(bench: Bench) -> None:
    """Also one that was cut without a word."""
    client, line = await bench.open()
    client.transport.abort()
    assert await in_time(line.receive()) == []


@pytest.mark.parametrize("bench", [True], indirect=True, ids=["taken"])
async def test_pings_are_answered_and_count_as_heard(bench: Bench) -> None:
    """An agent asks whether the server is there; the server knows by that that the agent is."""
    client, line = await bench.open()
    line.heard_at = 0
    await in_time(await client.ping())
    assert line.heard_at > 0
    await client.close()


async def test_who_is_not_listened_to_must_wait(bench: Bench) -> None:
    """While nobody takes messages, no more are read than fit: the agent's sending stands still, and goes on later."""
    client, line = await bench.open()
    sent = 0

    async def pour() -> None:
        nonlocal sent
        for _ in range(200):
            await client.send(bytes(256 * 1024))
            sent += 1

    pouring = asyncio.create_task(pour())
    before = -1

    async def stands() -> bool:
        nonlocal before
        still, before = sent == before, sent
        await asyncio.sleep(0.2)  # between two looks
        return still

    while not (await stands() and sent):
        pass
    assert 0 < sent < 200
    if isinstance(line, SocketLine):
        waiting = await line.receive()
        assert sum(map(len, waiting)) <= MOST_WAITING_BYTES + MOST_BYTES + 256 * 1024
        count = len(waiting)
    else:
        count = 0
    assert len(await collect(line, 200 - count)) == 200 - count
    await in_time(pouring)
    await client.close()


@pytest.mark.parametrize("bench", [True], indirect=True, ids=["taken"])
async def test_too_large_a_message_ends_it(bench: Bench) -> None:
    """The agent is told, and the server keeps none of it."""
    client, line = await bench.open()
    with suppress(ConnectionClosed):
        await client.send(bytes(MOST_BYTES + 1))
        await in_time(client.recv())
    await until(lambda: client.close_code is not None, "the end")
    assert client.close_code == 1009
    assert await in_time(line.receive()) == []
