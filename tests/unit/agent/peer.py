"""The server's side of the agents' protocol, in this process, on real sockets: what it got, and the means to misbehave."""

from __future__ import annotations

import asyncio
import http
import secrets
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tailrace.agent.credential import Credential
from tailrace.domain.facts import Fact, Finished
from tailrace.domain.lease import Lease
from tailrace.domain.plan import JobSpec, RunStep
from tailrace.domain.spans import Span, Stream
from tailrace.domain.wire import (
    AGENT_MESSAGE,
    Abort,
    Ack,
    AgentMessage,
    Beat,
    CloseLog,
    Drop,
    Gap,
    Hello,
    JobSecrets,
    Leased,
    LogClosed,
    Noted,
    Ready,
    Refused,
    Resume,
    Rewind,
    Said,
    ServerMessage,
    Stalled,
    Trouble,
    Watch,
    Welcome,
    unpack_chunk,
)
from tests.support.ports import free_port

PATIENCE_S = 100.0
CREDENTIAL = "the-credential-of-the-tests"
T = TypeVar("T")


async def until(condition: Callable[[], T], what: str) -> T:
    """The first true answer of `condition`."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while not (answer := condition()):
        assert asyncio.get_running_loop().time() < deadline, f"waited in vain for {what}"
        await asyncio.sleep(0.005)
    return answer


def lease_of(attempt: int, *scripts: str, **more: Any) -> Lease:
    """A lease of steps without checkout; its log's id is the attempt's plus 1000."""
    steps = tuple(RunStep(name=f"step {number}", run=script) for number, script in enumerate(scripts))
    words: dict[str, Any] = {
        "attempt": attempt,
        "number": 1,
        "cookie": secrets.token_hex(
            16
        ),  # processes are found by it, machine-wide: two tests at once must not share it
        "log": attempt + 1000,
        "run": 1,
        "run_number": 1,
        "project": "demo",
        "plan": "plan",
        "repository": "/nowhere",
        "job": JobSpec(name="job", checkout=False, steps=steps),
        "grace_s": 5.0,
    }
    return Lease(**(words | more))


@dataclass
class Held:
    """What the server knows of one attempt."""

    lease: Lease
    facts: dict[int, Fact] = field(default_factory=dict[int, Fact])
    said: int = 0
    data: bytearray = field(default_factory=bytearray)
    spans: list[Span] = field(default_factory=list[Span])
    chunks: int = 0
    closed: bool = False
    mismatches: int = 0
    dropped: bool = False
    secrets: JobSecrets | None = None

    @property
    def kinds(self) -> list[str]:
        """The kinds of the facts, in order."""
        return [self.facts[index].kind for index in sorted(self.facts)]

    @property
    def finished(self) -> Finished | None:
        return next((fact for fact in self.facts.values() if isinstance(fact, Finished)), None)

    @property
    def complete(self) -> bool:
        return self.closed and self.finished is not None

    def output(self, *streams: Stream) -> bytes:
        """The log's bytes that came from these streams."""
        ends = [*(span.offset for span in self.spans[1:]), len(self.data)] if self.spans else []
        return b"".join(
            bytes(self.data[span.offset : end])
            for span, end in zip(self.spans, ends, strict=True)
            if span.stream in streams
        )


class Peer:
    """A server for one agent. `credential` is the one it takes; `greeting` is what it refuses a hello with, None: it welcomes."""

    def __init__(self) -> None:
        self.credential = CREDENTIAL
        self.beat_s = 1.0
        self.attempts: dict[int, Held] = {}
        self.hellos: list[Hello] = []
        self.free: list[int] = []
        self.troubles: list[Trouble] = []
        self.stalls: list[str | None] = []
        self.closings: list[CloseLog] = []
        self.gaps: list[tuple[int, int]] = []
        self.refusing: Callable[[bytes], float | None] | None = None
        self.durable = False
        self.beats = 0
        self.cut_at: int | None = None
        self.refuse_facts = False
        self.greeting: str | None = None
        self._server: Server | None = None
        self._port = free_port()
        self._socket: ServerConnection | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def identity(self) -> Credential:
        return Credential(server=self.url, id=1, credential=self.credential)

    @property
    def connected(self) -> bool:
        return self._socket is not None

    async def open(self) -> None:
        """Listen, on the same port again after `close`."""
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            self._port,
            process_request=self._admit,
            compression=None,
            close_timeout=1,
        )

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    def cut(self) -> None:
        """Lose the connection without a word."""
        assert self._socket is not None
        self._socket.transport.abort()

    async def lease(self, lease: Lease, secrets: JobSecrets | None = None) -> Held:
        held = self.attempts[lease.attempt] = Held(lease, secrets=secrets)
        await self.say(Leased(lease=lease, secrets=secrets or JobSecrets()))
        return held

    async def abort(self, attempt: int, by: str, times: int = 1) -> None:
        await self.say(Abort(attempt=attempt, by=by, times=times))

    async def drop(self, attempt: int, why: str) -> None:
        self.attempts[attempt].dropped = True
        await self.say(Drop(attempt=attempt, why=why))

    async def watch(self, log: int, watched: bool) -> None:
        await self.say(Watch(log=log, watched=watched))

    async def say(self, message: ServerMessage) -> None:
        await self.say_raw(message.model_dump_json())

    async def say_raw(self, text: str) -> None:
        socket = await until(lambda: self._socket, "the agent to connect")
        assert socket is not None
        await socket.send(text, text=True)

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.headers.get("Authorization") != f"Bearer {self.credential}" or request.path != "/agent/v1":
            return connection.respond(http.HTTPStatus.UNAUTHORIZED, "unknown credential\n")
        return None

    async def _serve(self, socket: ServerConnection) -> None:
        try:
            hello = AGENT_MESSAGE.validate_json(await socket.recv())
            assert isinstance(hello, Hello)
            self.hellos.append(hello)
            if self.greeting is not None:
                await socket.close(1002, self.greeting)
                return
            await socket.send(
                Welcome(version="test", agent=1, beat_s=self.beat_s).model_dump_json(), text=True
            )
            self._socket = socket
            for named in hello.holds:
                held = self.attempts.get(named.attempt)
                if held is None or held.lease.cookie != named.cookie or held.dropped:
                    await self.say(Drop(attempt=named.attempt, why="it is not this agent's"))
                    continue
                await self.say(
                    Resume(
                        attempt=named.attempt,
                        log=held.lease.log,
                        end=len(held.data),
                        closed=held.closed,
                        secrets=None if held.facts else held.secrets,
                    )
                )
            async for frame in socket:
                if isinstance(frame, bytes):
                    await self._chunk(frame)
                else:
                    await self._message(AGENT_MESSAGE.validate_json(frame))
        except ConnectionClosed:
            pass
        finally:
            if self._socket is socket:
                self._socket = None

    async def _chunk(self, frame: bytes) -> None:
        chunk = unpack_chunk(frame)
        held = next(held for held in self.attempts.values() if held.lease.log == chunk.log)
        assert not held.dropped or chunk.offset == len(held.data), (
            "nothing may come after a drop but what was on its way"
        )
        if self.cut_at is not None and len(held.data) >= self.cut_at:
            self.cut_at = None
            self.cut()
            return
        held.chunks += 1
        if self.refusing is not None and (retry_s := self.refusing(bytes(held.data))) is not None:
            end = len(held.data)
            await self.say(Refused(log=chunk.log, end=end, why="the server's disk is full", retry_s=retry_s))
            return
        if chunk.offset != len(held.data):
            await self.say(Rewind(log=chunk.log, end=len(held.data)))
            return
        held.data += chunk.data
        held.spans += chunk.spans
        await self.say(Ack(log=chunk.log, received=len(held.data), durable=len(held.data) * self.durable))

    async def _message(self, message: AgentMessage) -> None:
        match message:
            case Ready():
                self.free.append(message.free)
            case Beat():
                self.beats += 1
            case Trouble():
                self.troubles.append(message)
            case Stalled():
                self.stalls.append(message.why)
            case Gap():
                held = next(held for held in self.attempts.values() if held.lease.log == message.log)
                self.gaps.append((len(held.data), message.end))
                held.data += b"?" * (message.end - len(held.data))
                await self.say(Ack(log=message.log, received=len(held.data), durable=0))
            case Said():
                held = self.attempts[message.attempt]
                held.said += 1
                if not self.refuse_facts:
                    assert message.index == 0 or message.index - 1 in held.facts, "facts come in order"
                    held.facts[message.index] = message.fact
                    await self.say(Noted(attempt=message.attempt, index=message.index))
            case CloseLog():
                await self._close_log(self.attempts[message.attempt], message)
            case Hello():
                raise AssertionError("hello comes once")

    async def _close_log(self, held: Held, message: CloseLog) -> None:
        self.closings.append(message)
        if message.freed or (message.size, message.crc32) == (len(held.data), zlib.crc32(held.data)):
            held.closed = True
            await self.say(LogClosed(log=message.log))
            return
        held.mismatches += 1
        held.data.clear()
        held.spans.clear()
        await self.say(Rewind(log=message.log, end=0))
