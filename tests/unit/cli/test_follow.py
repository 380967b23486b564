"""Following, against a server that leaves out, repeats, mangles and hangs up: every byte comes once and in order."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import websockets
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from tailrace.cli.client import CallFailed, Client
from tailrace.cli.follow import LogFollower
from tailrace.cli.log_targets import Source, Target
from tailrace.cli.stretches import Stretch
from tailrace.domain.spans import Span, Stream, spans_within

LOG = 7
Speak = Callable[[ServerConnection, int], Any]
"""What a connection is sent, given the offset that the client asked for."""


class Peer:
    """A log on a server; the n-th connection is served by the n-th of `speaks`, those after it by the last."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.spans = [Span(at, 1000 + at, Stream(1 + at % 3), at % 2) for at in range(0, len(data), 5)]
        self.speaks: list[Speak] = []
        self.asked: list[int] = []

    async def connect(self, connection: ServerConnection) -> None:
        wish = json.loads(await connection.recv())
        assert wish["topic"] == f"log/{LOG}"
        assert wish["whole"] is True
        self.asked.append(wish["from"])
        speak = self.speaks.pop(0) if len(self.speaks) > 1 else self.speaks[0]
        await speak(connection, wish["from"])

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """The REST calls, which come to the same port."""
        address = urlsplit(request.path)
        if address.path == "/api/live":
            return None
        query = {name: int(values[0]) for name, values in parse_qs(address.query).items()}
        start, stop = query["from"], min(query["to"], len(self.data))
        body = self.data[start:stop]
        if address.path.endswith("/spans"):
            items = [[s.offset, s.time, s.stream.word, s.step] for s in spans_within(self.spans, start, stop)]
            body = json.dumps({"items": items, "next": None}).encode()
        answer = connection.respond(HTTPStatus.OK, "")
        headers = websockets.Headers({"content-length": str(len(body)), "connection": "close"})
        return Response(answer.status_code, answer.reason_phrase, headers, body)

    def chunk(self, start: int, stop: int) -> str:
        """As the server encodes it: what is no UTF-8 is lost."""
        spans = spans_within(self.spans, start, stop)
        listed: list[object] = []
        for span in spans:
            index = len(self.data[start : span.offset].decode("utf-8", "replace").encode("utf-16-le")) // 2
            listed.append([span.offset, span.time, span.stream.word, span.step, index])
        text = self.data[start:stop].decode("utf-8", "replace")
        return self.say(chunk={"offset": start, "next": stop, "spans": listed, "text": text})

    def say(self, **message: object) -> str:
        return json.dumps({"topic": f"log/{LOG}", **message})

    async def end(self, connection: ServerConnection, _: int) -> None:
        await connection.send(self.say(end={"size": len(self.data), "state": "closed"}))
        await connection.wait_closed()


class Sink:
    """Keeps what it is given, and checks that it continues."""

    waits = False

    def __init__(self, start: int, stop: int | None = None) -> None:
        self.start = self.next = start
        self.stop = stop
        self.data = b""
        self.spans: list[Span] = []
        self.ends = 0

    def open(self, run: dict[str, Any] | None, source: Source) -> None:
        assert source.log == LOG

    def take(self, stretch: Stretch) -> bool:
        assert stretch.offset == self.next
        assert stretch.spans[0].offset == stretch.offset
        self.next = stretch.next
        self.data += stretch.data
        self.spans += stretch.spans
        return self.stop is None or self.next < self.stop

    def quiet(self) -> None: ...

    def end(self, log: int) -> None:
        self.ends += 1


async def follow(peer: Peer, sink: Sink) -> None:
    server: Server
    async with serve(peer.connect, "127.0.0.1", 0, process_request=peer.answer, compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        client = Client(f"http://127.0.0.1:{port}", "token")
        await LogFollower(client, Target(None, log=LOG), lambda _: sink.start, sink).follow()


async def test_a_hole_is_fetched_and_a_repetition_left_out() -> None:
    """A chunk that begins too late, one that begins too early, a gap, one that brings nothing new, and an end too early."""
    data = b"".join(b"%04d " % number for number in range(200))
    peer = Peer(data)

    async def speak(connection: ServerConnection, _: int) -> None:
        await connection.send(peer.chunk(0, 10))
        await connection.send(peer.chunk(25, 100))
        await connection.send(peer.chunk(50, 140))
        await connection.send(peer.chunk(60, 130))
        await connection.send(peer.say(gap={"from": 140, "to": 400}))
        await connection.send(peer.chunk(500, 600))
        await peer.end(connection, 0)

    peer.speaks.append(speak)
    sink = Sink(0)
    await follow(peer, sink)
    assert sink.data == data
    assert sink.ends == 1


@pytest.mark.parametrize("seed", range(12))
async def test_any_order_of_troubles_gives_the_log(seed: int) -> None:
    """Whatever is sent, and whenever the connection is lost: each resumes at the offset that it wants next."""
    dice = random.Random(seed)
    data = b"".join(dice.choice([b"abc", "水".encode(), b"\n", b"\xff\xe6", b"\r"]) for _ in range(600))
    peer = Peer(data)

    async def some(connection: ServerConnection, start: int) -> None:
        for _ in range(dice.randrange(4)):
            first = dice.randrange(max(start - 50, 0), len(data))
            await connection.send(peer.chunk(first, dice.randrange(first, min(first + 200, len(data))) + 1))
        if dice.random() < 0.5:
            connection.transport.abort()

    start = dice.randrange(100)
    peer.speaks += [*[some] * dice.randrange(1, 5), peer.end]
    sink = Sink(start)
    await follow(peer, sink)
    assert sink.data == data[start:]
    assert peer.asked == sorted(peer.asked)
    assert peer.asked[0] == start
    for span in sink.spans:
        assert (span.time, span.stream) == next(
            (known.time, known.stream) for known in reversed(peer.spans) if known.offset <= span.offset
        )


async def test_who_has_enough_is_not_followed_on() -> None:
    """The sink says when; the log goes on without it."""
    peer = Peer(b"x" * 1000)

    async def speak(connection: ServerConnection, _: int) -> None:
        await connection.send(peer.chunk(0, 500))
        await connection.wait_closed()

    peer.speaks.append(speak)
    sink = Sink(0, stop=400)
    await asyncio.wait_for(follow(peer, sink), 60)
    assert (sink.next, sink.ends) == (500, 1)


async def test_a_server_that_cannot_read_on_is_tried_again() -> None:
    """Its disk may be away for a while; that the log does not exist is for good."""
    peer = Peer(b"all of it")

    async def trouble(connection: ServerConnection, _: int) -> None:
        await connection.send(peer.say(error={"status": 500, "detail": "the log cannot be read on"}))
        await connection.wait_closed()

    peer.speaks += [trouble, peer.end]
    sink = Sink(0)
    await follow(peer, sink)
    assert sink.data == b"all of it"


async def test_a_refused_token_is_said() -> None:
    """Trying again would not help."""

    def refuse(connection: ServerConnection, _: Request) -> Response:
        return connection.respond(HTTPStatus.UNAUTHORIZED, "")

    peer = Peer(b"")
    async with serve(peer.connect, "127.0.0.1", 0, process_request=refuse) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        client = Client(f"http://127.0.0.1:{port}", "token")
        with pytest.raises(CallFailed, match="HTTP 401"):
            await LogFollower(client, Target(None, log=LOG), lambda _: 0, Sink(0)).follow()
