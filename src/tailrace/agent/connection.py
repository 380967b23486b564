"""The agent's one connection to the server, made again for ever."""

from __future__ import annotations

import asyncio
from socket import SO_SNDBUF, SOL_SOCKET
from typing import Protocol

import structlog
from pydantic import ValidationError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from tailrace.agent.backoff import Backoff
from tailrace.agent.credential import Credential, is_loopback
from tailrace.agent.link import Link
from tailrace.domain.errors import Invalid, Unauthorised
from tailrace.domain.report import Load
from tailrace.domain.wire import SERVER_MESSAGE, Hello, ServerMessage, Trouble, Welcome, faults_of

OPEN_PATIENCE_S = 10.0
PING_S = 10.0
PING_PATIENCE_S = 15.0
"""A connection whose other end has silently gone is noticed within PING_S + PING_PATIENCE_S."""
GOOD_S = 1.0
"""A connection that lived so long was a good one. A server that cannot keep what it gets says so soon after its welcome."""
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""A lease carries a whole job with its variables; more than this is no message of ours."""

WRITE_BYTES = 1024 * 1024
"""What may wait to be sent: some frames, so that the next is made while the last is on its way."""

_log = structlog.get_logger("agent")


class Peer(Protocol):
    """Whom the connection speaks for."""

    def hello(self) -> Hello:
        """What to say first on a new connection."""
        ...

    def load(self) -> Load:
        """How busy the machine is, to be said with each beat."""
        ...

    def connected(self, link: Link) -> None:
        """The server has welcomed us; `link` is good until `disconnected`."""
        ...

    def disconnected(self) -> None:
        """What was said on the last link may not have arrived."""
        ...

    def heard(self, message: ServerMessage) -> None:
        """A message from the server, in order."""
        ...


class Connection:
    """Connects, greets, passes messages on, and connects again."""

    def __init__(self, server_url: str, credential: Credential, peer: Peer) -> None:
        self._server_url = server_url
        self._url = socket_url(server_url)
        self._credential = credential
        self._peer = peer
        self._backoff = Backoff()
        self._away: str | None = None  # why, as it was said last

    async def run(self) -> None:
        """Be connected, whenever the server can be reached, until cancelled. Raises Unauthorised when it refuses the credential,
        Invalid when its address is none."""
        while True:
            trouble = await self._connect_once()
            if trouble != self._away:  # said once, not with each try: but the next cause may be another one
                _log.warning("not connected; trying again", server=self._server_url, why=trouble)
                self._away = trouble
            await asyncio.sleep(self._backoff.wait_s())

    async def _connect_once(self) -> str:
        """One connection from its handshake to its end; returns why it ended."""
        try:
            async with connect(
                self._url,
                additional_headers={"Authorization": f"Bearer {self._credential.credential}"},
                compression=None,
                proxy=None if is_loopback(self._server_url) else True,
                open_timeout=OPEN_PATIENCE_S,
                ping_interval=PING_S,
                ping_timeout=PING_PATIENCE_S,
                close_timeout=1,
                max_size=MAX_MESSAGE_BYTES,
                write_limit=WRITE_BYTES,
            ) as socket:
                _widen(socket)
                return await self._serve(socket)
        except InvalidStatus as error:
            if error.response.status_code in (401, 403):
                raise Unauthorised(
                    f"{self._server_url} refused the credential of agent {self._credential.id}"
                    f" (HTTP {error.response.status_code}): register again with --token"
                ) from error
            return str(error)
        except InvalidURI as error:
            raise Invalid(f"{self._server_url} is not a server's address: {error}") from error
        except ConnectionClosed as error:
            frame = error.rcvd or error.sent
            return frame.reason or f"closed with code {frame.code}" if frame else "the connection was cut"
        except (OSError, InvalidHandshake, TimeoutError, EOFError) as error:
            return str(error) or type(error).__name__

    async def _serve(self, socket: ClientConnection) -> str:
        await socket.send(self._peer.hello().model_dump_json(), text=True)
        try:
            async with asyncio.timeout(OPEN_PATIENCE_S):
                welcome = SERVER_MESSAGE.validate_json(await socket.recv())
        except ValidationError as error:
            return f"no welcome: {faults_of(error)}"
        except TimeoutError:
            return "no welcome came in time"
        if not isinstance(welcome, Welcome):
            return f"expected welcome, got {welcome.kind}"
        self._away = None
        began = asyncio.get_running_loop().time()
        _log.info("connected", server=self._server_url, version=welcome.version, agent=welcome.agent)
        link = Link(socket, welcome.beat_s, self._peer.load)
        self._peer.connected(link)
        pump = asyncio.create_task(link.pump())
        listen = asyncio.create_task(self._listen(socket, link))
        try:
            await asyncio.wait((pump, listen), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (pump, listen):
                task.cancel()
            await asyncio.gather(pump, listen, return_exceptions=True)
            self._peer.disconnected()
        if asyncio.get_running_loop().time() - began >= GOOD_S:
            self._backoff.reset()
        return _why_ended(pump, listen)

    async def _listen(self, socket: ClientConnection, link: Link) -> None:
        while True:
            frame = await socket.recv()
            try:
                message = SERVER_MESSAGE.validate_json(frame)
            except ValidationError as error:
                faults = faults_of(error)
                _log.error("the server said what this agent does not understand", error=faults)
                link.say(
                    Trouble(message=f"agent: cannot understand a message of the server: {faults}"[:2000])
                )
                continue
            self._peer.heard(message)


def socket_url(server_url: str) -> str:
    """Where agents connect on a server; raises Invalid when the address is not http:// or https://."""
    for scheme, own in (("http://", "ws://"), ("https://", "wss://")):
        if server_url.startswith(scheme):
            return f"{own}{server_url.removeprefix(scheme).rstrip('/')}/agent/v1"
    raise Invalid(f"{server_url!r} is not a server's address: expected http://… or https://…")


def _widen(connection: ClientConnection) -> None:
    """Let the system take a whole frame of log bytes at once, where it may: what it does not take is copied again and again."""
    line = connection.transport.get_extra_info("socket")
    if line is not None:
        line.setsockopt(SOL_SOCKET, SO_SNDBUF, WRITE_BYTES)


def _why_ended(*tasks: asyncio.Task[None]) -> str:
    errors = [task.exception() for task in tasks if task.done() and not task.cancelled()]
    for error in errors:
        if error is not None and not isinstance(error, ConnectionClosed):
            _log.error("a connection ended by an error of the agent's own", exc_info=error)
            return f"{type(error).__name__}: {error}"
    for error in errors:
        if isinstance(error, ConnectionClosed) and (frame := error.rcvd or error.sent) is not None:
            return frame.reason or f"closed with code {frame.code}"
    return "the connection was cut"
