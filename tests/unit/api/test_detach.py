"""Transports that watchers take from the server: what a client sees on the wire, and what the server keeps of it."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import tracemalloc
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, cast

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

from tailrace.live.connections import Connections
from tailrace.live.tail import TAIL_BYTES
from tailrace.live.watcher import FOLLOWING_BYTES
from tailrace.live.watcher_sse import MOST_HEARD
from tests.support.live_house import LiveHouse, in_time, live_house, serving, until
from tests.support.pace import at_some_pace

STREAM = b"GET /api/logs/7/stream HTTP/1.1\r\nHost: x\r\n\r\n"
LIVE = (
    b"GET /api/live HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
WATCH = json.dumps({"op": "watch", "topic": "log/7", "from": 0}).encode()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncGenerator[LiveHouse]:
    """A server with detached transports, and an empty log 7."""
    async with live_house(tmp_path) as running:
        running.create(7)
        yield running


class Wire:
    """A client that sees bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, port: int, request: bytes) -> Wire:
        wire = cls(*await asyncio.open_connection("127.0.0.1", port))
        wire.writer.write(request)
        return wire

    async def head(self) -> list[bytes]:
        return (await in_time(self.reader.readuntil(b"\r\n\r\n"))).split(b"\r\n")[:-2]

    async def rest(self) -> bytes:
        return await in_time(self.reader.read())

    def say(self, opcode: Opcode, data: bytes, fin: bool = True) -> None:
        self.writer.write(Frame(opcode, data, fin).serialize(mask=True))

    async def hear(self) -> tuple[int, bytes]:
        """The next frame: opcode and data."""
        first, length = await in_time(self.reader.readexactly(2))
        if length == 126:
            length = int.from_bytes(await in_time(self.reader.readexactly(2)), "big")
        elif length == 127:
            length = int.from_bytes(await in_time(self.reader.readexactly(8)), "big")
        assert first & 0xF0 == 0x80
        return first & 0xF, await in_time(self.reader.readexactly(length))

    async def hear_text(self) -> Any:
        opcode, data = await self.hear()
        assert opcode == Opcode.TEXT
        return json.loads(data)


async def live(house: LiveHouse) -> Wire:
    wire = await Wire.open(house.port, LIVE)
    assert (await wire.head())[0].startswith(b"HTTP/1.1 101")
    return wire


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
async def test_a_stream_ends_with_its_connection(house: LiveHouse, version: bytes) -> None:
    """Neither chunks nor a length: what old proxies understand."""
    house.append(7, b"all")
    house.end(7)
    wire = await Wire.open(house.port, STREAM.replace(b"1.1", version))
    head = await wire.head()
    assert head[0] == b"HTTP/1.1 200 OK"
    names = [line.partition(b":")[0].lower() for line in head[1:]]
    assert b"connection: close" in head
    assert not {b"transfer-encoding", b"content-length"} & set(names)
    assert {b"date", b"content-type", b"cache-control"} <= set(names)
    body = await wire.rest()
    assert body.startswith(b"id: 3\nevent: chunk\ndata: {")
    assert body.endswith(b'event: end\ndata: {"size":3,"state":"closed"}\n\n')


async def test_a_request_behind_a_stream_is_not_answered(house: LiveHouse) -> None:
    """The stream is the last thing on its connection, and goes on."""
    wire = await Wire.open(house.port, STREAM + b"GET /api/logs/7 HTTP/1.1\r\nHost: x\r\n\r\n")
    await wire.head()
    await until(lambda: house.hub.watched(7), "the watcher")
    house.append(7, b"more")
    house.end(7)
    body = await wire.rest()
    assert b'"text":"more"' in body
    assert b"HTTP/1.1" not in body


async def test_a_stream_behind_a_request_is_detached_too(house: LiveHouse) -> None:
    """On a connection that was used before, or asked for both at once."""
    house.append(7, b"raw")
    wire = await Wire.open(house.port, b"GET /api/logs/7 HTTP/1.1\r\nHost: x\r\n\r\n" + STREAM)
    await wire.head()
    assert await in_time(wire.reader.readexactly(3)) == b"raw"
    await wire.head()
    await until(lambda: house.hub.watched(7), "the watcher")
    house.end(7)
    assert b"event: end" in await wire.rest()


async def test_the_server_counts_and_keeps_nothing_of_a_watcher(house: LiveHouse) -> None:
    """No task, no connection; request, parser and scope are gone without a search for rings of objects."""
    assert house.server is not None
    gc.collect()
    gc.disable()
    try:
        wires = [await Wire.open(house.port, STREAM) for _ in range(5)] + [
            await live(house) for _ in range(5)
        ]
        for wire in wires[5:]:
            wire.say(Opcode.TEXT, WATCH)
        await until(lambda: len(house.hub.connections) == 10, "the watchers")
        state = house.server.server_state
        await until(lambda: not state.tasks and not state.connections, "the server to forget them")
        kinds = (HttpToolsProtocol, WebSocketsSansIOProtocol, RequestResponseCycle, ServerProtocol)
        await until(
            lambda: not any(isinstance(thing, kinds) for thing in gc.get_objects()), "them to be gone"
        )
    finally:
        gc.enable()
    for wire in wires:
        wire.writer.close()
    await until(lambda: len(house.hub.connections) == 0, "the watchers to leave")


async def test_the_way_out_of_ordinary_requests_keeps_nothing(house: LiveHouse) -> None:
    """Each is offered one; their connections are gone with them."""
    assert house.server is not None
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            wire = await Wire.open(house.port, b"GET /api/logs/7 HTTP/1.1\r\nHost: x\r\n\r\n")
            await wire.head()
            wire.writer.close()
        state = house.server.server_state
        await until(lambda: not state.connections, "the connections to end")
        await until(
            lambda: not any(isinstance(thing, HttpToolsProtocol) for thing in gc.get_objects()),
            "them to be gone",
        )
    finally:
        gc.enable()


async def _many(port: int, count: int, request: bytes, frame: bytes) -> list[socket.socket]:
    """So many clients that have said this, and heard the head of the answer; they cost nothing here but their sockets."""
    loop = asyncio.get_running_loop()
    lines = [socket.socket() for _ in range(count)]
    for line in lines:
        line.setblocking(False)
        await loop.sock_connect(line, ("127.0.0.1", port))
        await loop.sock_sendall(line, request)
        await loop.sock_recv(line, 4096)
        if frame:
            await loop.sock_sendall(line, frame)
    return lines


@pytest.mark.parametrize(
    ("request_", "frame", "most"),
    [(STREAM, b"", 3 * 1024), (LIVE, Frame(Opcode.TEXT, WATCH).serialize(mask=True), 8 * 1024)],
    ids=["sse", "websocket"],
)
async def test_a_watcher_costs_little(house: LiveHouse, request_: bytes, frame: bytes, most: int) -> None:
    """In Python's memory, with its client's socket; benchmarks measure that of the process."""
    lines = await _many(house.port, 100, request_, frame)
    gc.collect()
    tracemalloc.start()
    try:
        lines += await _many(house.port, 300, request_, frame)
        await until(lambda: len(house.hub.connections) == 400, "the watchers")
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held / 300 < most
    for line in lines:
        line.close()
    await until(lambda: len(house.hub.connections) == 0, "the watchers to leave")


async def test_a_client_that_says_too_much_is_cut_off(house: LiveHouse) -> None:
    """A stream's client has nothing to say: a little is overlooked."""
    wire = await Wire.open(house.port, STREAM)
    await wire.head()
    wire.writer.write(b"hello?")
    house.append(7, b"still there")
    await in_time(wire.reader.readuntil(b"\n\n"))
    wire.writer.write(bytes(MOST_HEARD + 1))
    await until(lambda: len(house.hub.connections) == 0, "the connection to be cut")
    wire.writer.close()


async def test_pings_are_answered_and_pieces_of_a_message_joined(house: LiveHouse) -> None:
    """Also a ping between the pieces."""
    wire = await live(house)
    wire.say(Opcode.TEXT, WATCH[:9], fin=False)
    wire.say(Opcode.PING, b"are you there?")
    assert await wire.hear() == (Opcode.PONG, b"are you there?")
    wire.say(Opcode.CONT, WATCH[9:])
    await until(lambda: house.hub.watched(7), "the watcher")
    house.append(7, b"joined")
    assert (await wire.hear_text())["chunk"]["text"] == "joined"
    wire.say(Opcode.CLOSE, (1000).to_bytes(2, "big") + b"bye")
    assert await wire.hear() == (Opcode.CLOSE, (1000).to_bytes(2, "big"))
    assert await wire.rest() == b""
    await until(lambda: not house.hub.watched(7), "the watcher to leave")


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"\x81\x02hi", 1002),
        (Frame(Opcode.TEXT, b"\xff").serialize(mask=True), 1007),
        (Frame(Opcode.BINARY, bytes(70_000)).serialize(mask=True)[:14], 1009),
    ],
    ids=["not masked", "no UTF-8", "too big"],
)
async def test_what_is_against_the_protocol_ends_the_connection(
    house: LiveHouse, sent: bytes, code: int
) -> None:
    """With its code and why."""
    wire = await live(house)
    wire.say(Opcode.TEXT, WATCH)
    await until(lambda: house.hub.watched(7), "the watcher")
    wire.writer.write(sent)
    opcode, data = await wire.hear()
    assert (opcode, int.from_bytes(data[:2], "big")) == (Opcode.CLOSE, code)
    assert len(data) > 2
    assert await wire.rest() == b""
    await until(lambda: len(house.hub.connections) == 0, "the connection to go")


async def test_one_that_speaks_before_its_handshake_is_answered_is_cut_off() -> None:
    """Its words would be lost, and it would wait for an answer to them."""
    asked = asyncio.Event()

    async def think(scope: Scope, receive: Receive, send: Send) -> None:
        asked.set()
        assert (await receive())["type"] == "websocket.connect"
        assert (await receive())["type"] == "websocket.disconnect"

    async with serving(think) as port:
        wire = await Wire.open(port, LIVE)
        await in_time(asked.wait())
        wire.say(Opcode.TEXT, WATCH)
        assert await wire.rest() == b""


async def test_messages_are_obeyed_in_their_order(house: LiveHouse) -> None:
    """However many come at once; what the last one asks for is what is sent in the end."""
    house.append(7, b"0123456789")
    wire = await live(house)
    for offset in (*range(10), 3):
        wire.say(Opcode.TEXT, json.dumps({"op": "watch", "topic": "log/7", "from": offset}).encode())
    wire.say(Opcode.TEXT, b"that was all")
    offsets: list[int] = []
    while "chunk" in (frame := await wire.hear_text()):
        offsets.append(frame["chunk"]["offset"])
    assert "error" in frame
    while not offsets or offsets[-1] != 3:
        offsets.append((await wire.hear_text())["chunk"]["offset"])
    assert offsets[:-1] == sorted(offsets[:-1])
    wire.writer.close()


async def test_a_client_that_only_talks_is_not_read_from(house: LiveHouse) -> None:
    """Its words fill the system's buffers on its side, not our memory."""
    wire = await live(house)
    frame = Frame(Opcode.TEXT, b"nonsense" * 500).serialize(mask=True)
    cast("asyncio.Transport", wire.writer.transport).pause_reading()
    wire.writer.transport.set_write_buffer_limits(0)
    said = 0

    async def talk() -> None:
        nonlocal said
        while True:
            wire.writer.write(frame)
            await wire.writer.drain()
            said += 1

    talking = asyncio.create_task(talk())
    tracemalloc.start()
    try:
        before = -1
        while said != before:  # it is blocked once so many turns of both ends' loop have brought nothing
            before = said
            for _ in range(1000):
                await asyncio.sleep(0)
            held, _ = tracemalloc.get_traced_memory()
            assert held < 2**20
    finally:
        tracemalloc.stop()
    cast("asyncio.Transport", wire.writer.transport).resume_reading()
    while said == before:
        assert "error" in await wire.hear_text()
    talking.cancel()
    wire.writer.transport.abort()
    await until(lambda: len(house.hub.connections) == 0, "the connection to go")


async def test_one_that_answers_no_ping_is_taken_for_dead(tmp_path: Path) -> None:
    """It hears, and says nothing; one that answers stays."""

    async def trial(pace: int) -> None:
        async with live_house(tmp_path / str(pace), connections=Connections(0.05 * pace)) as house:
            dead, well = await live(house), await live(house)

            async def answer() -> None:
                while True:
                    opcode, data = await well.hear()
                    if opcode == Opcode.PING:
                        well.say(Opcode.PONG, data)

            answering = asyncio.create_task(answer())
            await dead.rest()
            assert len(house.hub.connections) == 1
            assert not answering.done()
            answering.cancel()
            well.writer.close()

    await at_some_pace(trial)


@pytest.mark.parametrize("request_", [STREAM, LIVE], ids=["sse", "websocket"])
async def test_one_that_takes_nothing_is_closed(tmp_path: Path, request_: bytes) -> None:
    """After some beats, with what waited for it; nobody else notices."""
    async with live_house(tmp_path, connections=Connections(0.05)) as house:
        house.create(7)
        line = socket.socket()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(line, ("127.0.0.1", house.port))
        await loop.sock_sendall(line, request_)
        await loop.sock_recv(line, 300)
        if request_ is LIVE:
            await loop.sock_sendall(line, Frame(Opcode.TEXT, WATCH).serialize(mask=True))
        await until(lambda: house.hub.watched(7), "the watcher")
        for _ in range(40):
            house.append(7, bytes(FOLLOWING_BYTES // 4))
        await until(lambda: len(house.hub.connections) == 0, "it to be closed")
        assert not house.hub.watched(7)
        line.close()


async def test_a_slow_watcher_is_told_the_gap(house: LiveHouse) -> None:
    """What it got, with what the gaps name, is the log; who resumes after a gap resumes behind it."""
    wire = await Wire.open(house.port, STREAM)
    await wire.head()
    house.append(7, b"begin\n")
    await in_time(wire.reader.readuntil(b"\n\n"))
    whole = b"begin\n"
    cast("asyncio.Transport", wire.writer.transport).pause_reading()
    for number in range(200):
        block = b"%d " % number * 40_000
        house.append(7, block)
        whole += block
        await asyncio.sleep(0)
    house.end(7)
    cast("asyncio.Transport", wire.writer.transport).resume_reading()
    at, told = 6, b""
    gaps: list[tuple[int, int]] = []
    for event in (await wire.rest()).split(b"\n\n")[:-1]:
        fields = dict(line.split(b": ", 1) for line in event.split(b"\n"))
        data = json.loads(fields[b"data"])
        if fields[b"event"] == b"chunk":
            assert data["offset"] == at
            told += data["text"].encode()
        elif fields[b"event"] == b"gap":
            assert data["from"] == at
            gaps.append((data["from"], data["to"]))
            told += whole[data["from"] : data["to"]]
        at = int(fields[b"id"])
    assert b"begin\n" + told == whole
    assert len(gaps) == 1
    assert gaps[0][1] - gaps[0][0] > TAIL_BYTES
