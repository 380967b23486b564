"""The WebSocket of agents: frames in, applied one after the other; messages out, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from itertools import groupby
from typing import cast

import structlog
from fastapi import APIRouter
from pydantic import ValidationError
from starlette.websockets import WebSocket

from tailrace import __version__
from tailrace.api.agent_keeping import Keeping, Kept
from tailrace.api.agent_line import AgentLine, take_line
from tailrace.api.auth import bearer, hash_of
from tailrace.dispatch.dispatcher import Dispatcher, Seat
from tailrace.domain.errors import Invalid, LeaseLost, NoRoom
from tailrace.domain.wire import (
    AGENT_MESSAGE,
    OLDEST_PROTOCOL,
    PROTOCOL,
    Beat,
    CloseLog,
    Gap,
    Greeting,
    Hello,
    Ready,
    Said,
    ServerMessage,
    Stalled,
    Trouble,
    Welcome,
)
from tailrace.ingest.desk import Desk
from tailrace.ingest.session import Session
from tailrace.live.scopes import AGENTS, agent_scope
from tailrace.store.agents import agent_came, agent_left, find_agent, note_trouble, read_standing

MAX_FRAME_BYTES = 1024 * 1024
_log = structlog.get_logger("agents")


class AgentSockets:
    """The agents connected to this server; a newer connection of an agent ends its older one."""

    def __init__(self, desk: Desk, dispatcher: Dispatcher) -> None:
        self.desk = desk
        self.dispatcher = dispatcher
        self.keeping = Keeping(desk)
        self._open: dict[int, AgentSocket] = {}

    async def serve(self, socket: WebSocket) -> None:
        """One connection, from its handshake to its end."""
        token = bearer(socket.headers)
        agent_id = await self.desk.store.read(find_agent, hash_of(token)) if token else None
        if agent_id is None:
            await socket.close(1008, "unknown agent credential: register again with a token")
            return
        line = await take_line(socket, MAX_FRAME_BYTES)
        if line is None:
            return
        address = socket.client.host if socket.client else None
        earlier = self._open.get(agent_id)
        connection = self._open[agent_id] = AgentSocket(line, address, agent_id, self)
        try:
            if earlier is not None:
                await earlier.close(1012, "a newer connection of this agent took over")
            await connection.serve()
        finally:
            if self._open.get(agent_id) is connection:
                del self._open[agent_id]
                with suppress(NoRoom):  # it is seen by its silence too
                    await self.desk.store.write(agent_left, agent_id)
                self.desk.bus.publish(AGENTS)

    async def close(self) -> None:
        """The server is going away: agents come back, to it or to another."""
        await asyncio.gather(*(one.close(1012, "the server is going away") for one in self._open.values()))


class AgentSocket:
    """One connection."""

    def __init__(self, line: AgentLine, address: str | None, agent_id: int, sockets: AgentSockets) -> None:
        self._line = line
        self._address = address
        self._agent_id = agent_id
        self._desk = sockets.desk
        self._dispatcher = sockets.dispatcher
        self._keeping = sockets.keeping
        self._checks: set[asyncio.Task[None]] = set()
        self._session = Session(self._desk, agent_id, self._say)

    async def close(self, code: int, why: str) -> None:
        """End the connection; `serve` returns."""
        await self._line.close(code, why)

    async def serve(self) -> None:
        """Greet, then work until either side goes."""
        try:
            came = await self._line.receive()
            if not came:
                return
            await self._check_protocol(came[0])
            hello = AGENT_MESSAGE.validate_json(came[0])
            if not isinstance(hello, Hello):
                raise Invalid(f"expected hello, got {hello.kind}")
            await self._serve(hello, came[1:])
        except (ValidationError, Invalid) as error:
            _log.error(
                "an agent sent what this server does not understand", agent=self._agent_id, error=str(error)
            )
            await self.close(1002, str(error).replace("\n", " ")[:120])
        except LeaseLost as error:
            await self.close(1008, str(error)[:120])
        except (OSError, NoRoom) as error:
            _log.error(
                "what an agent sent cannot be kept; it tries again", agent=self._agent_id, error=str(error)
            )
            await self.close(1013, f"cannot be kept now: {error}"[:120])

    async def _serve(self, hello: Hello, came: Sequence[str | bytes]) -> None:
        standing = await self._desk.store.write(
            agent_came,
            self._agent_id,
            labels=hello.labels,
            capacity=hello.capacity,
            version=hello.version,
            address=self._address,
            machine=hello.machine,
            projects=hello.projects,
            once=hello.once,
        )
        self._say(Welcome(version=__version__, agent=self._agent_id, beat_s=self._desk.lease_ms / 6000))
        await self._session.begin(hello.holds)
        await self._session.renew()
        self._desk.bus.publish(AGENTS)
        seat = self._dispatcher.sit(self._agent_id, standing.taker, self._session.deliver)
        seat.stand(standing)
        unsubscribe = self._desk.bus.subscribe(
            agent_scope(self._agent_id), lambda _note: self._check_soon(seat)
        )
        unwatch = self._desk.hub.on_watched(self._session.watched)
        kept = self._keeping.begin(self._agent_id, self._line, self._session, seat, self._removed)
        try:
            await self._session.tell_untold()
            came = came or await self._line.receive()
            while came:
                kept.heard = True
                for binary, messages in groupby(came, lambda message: isinstance(message, bytes)):
                    if binary:
                        await self._session.chunks(cast("list[bytes]", list(messages)))
                        continue
                    words = [AGENT_MESSAGE.validate_json(text) for text in messages]
                    for kind, alike in groupby(words, type):
                        if kind is Said:
                            await self._session.said_all(cast("list[Said]", list(alike)))
                        elif kind is CloseLog:
                            await self._session.close_logs(cast("list[CloseLog]", list(alike)))
                        else:
                            for message in alike:
                                await self._apply(message, kept)
                came = await self._line.receive()
        finally:
            unwatch()
            unsubscribe()
            self._dispatcher.rise(seat)
            self._keeping.end(kept)
            for task in self._checks:
                task.cancel()

    async def _apply(
        self, message: Hello | Ready | Beat | Said | CloseLog | Gap | Stalled | Trouble, kept: Kept
    ) -> None:
        match message:
            case Ready():
                kept.seat.offer(message.free)
            case Said():
                await self._session.said_all([message])
            case CloseLog():
                await self._session.close_log(message)
            case Gap():
                await self._session.gap(message)
            case Stalled():
                await self._session.stalled(message)
            case Trouble():
                await self._session.trouble(message)
            case Beat():
                kept.load = message.load or kept.load
            case Hello():
                raise Invalid("hello comes once, at the beginning")

    async def _check_protocol(self, frame: str | bytes) -> None:
        """Raises Invalid, after telling people, when this server does not understand the agent."""
        try:
            hello = Greeting.model_validate_json(frame)
        except ValidationError:
            return  # what is wrong with it is said by whoever reads all of it
        if OLDEST_PROTOCOL <= hello.protocol <= PROTOCOL:
            return
        which = "upgrade the server" if hello.protocol > PROTOCOL else "upgrade the agent"
        message = (  # what to do comes first: the end may be cut off
            f"{which}: agent {hello.version[:80]} speaks protocol {hello.protocol},"
            f" server {__version__} speaks {OLDEST_PROTOCOL} to {PROTOCOL}"
        )
        await self._desk.store.write(note_trouble, self._agent_id, message, refused=True)
        self._desk.bus.publish(AGENTS)
        raise Invalid(message)

    async def _check(self, seat: Seat) -> None:
        """People may have changed the agent, and attempts may have been taken from it."""
        standing = await self._desk.store.read(read_standing, self._agent_id)
        if standing is None:
            await self._removed()
            return
        seat.stand(standing)
        await self._session.check()

    async def _removed(self) -> None:
        await self.close(1008, "this agent was removed: register again with a token")

    def _check_soon(self, seat: Seat) -> None:
        task = asyncio.create_task(self._check(seat))
        self._checks.add(task)
        task.add_done_callback(self._checks.discard)

    def _say(self, message: ServerMessage) -> None:
        try:
            text = message.__pydantic_serializer__.to_json(message)
        except Exception as error:
            _log.exception("an agent cannot be told something; its connection ends", agent=self._agent_id)
            task = asyncio.create_task(self.close(1011, f"this server failed: {error!r}"[:120]))
            self._checks.add(task)
            task.add_done_callback(self._checks.discard)
        else:
            self._line.say(text)


def agent_router(sockets: AgentSockets) -> APIRouter:
    """The route that agents connect to."""
    router = APIRouter()

    @router.websocket("/agent/v1")
    async def connect(socket: WebSocket) -> None:
        await sockets.serve(socket)

    return router
