"""uvicorn's protocols, with a way out: a watcher takes the transport, and what served its request is let go.

An endpoint finds the way in its scope, `scope["extensions"]["tailrace.detach"]`, once it is decided that the request is to
be answered by a stream. After that it returns; the transport calls the watcher, and the server neither counts the
connection nor waits for it. A request keeps some 20 KB of scope, headers, parser and task; a watcher takes a tenth of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, MutableMapping
from functools import partial
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

DETACH = "tailrace.detach"

Headers = Iterable[tuple[bytes, bytes]]

DetachStream = Callable[[asyncio.Protocol, Headers], asyncio.Transport | None]
"""Answers 200 with these headers and gives the transport to the protocol; None when the client has gone."""

DetachSocket = Callable[[asyncio.BaseProtocol], asyncio.Transport | None]
"""After `websocket.accept`, before anything else is awaited: gives the transport to the protocol; None likewise."""


def way_out(scope: MutableMapping[str, Any]) -> Any:
    """The scope's DetachStream or DetachSocket; None where the server has none."""
    return scope.get("extensions", {}).get(DETACH)


class _Gone(asyncio.Transport):
    """The transport of a request that has none any more."""

    def __init__(self) -> None:
        super().__init__()

    def is_closing(self) -> bool:
        return True

    def close(self) -> None: ...

    def abort(self) -> None: ...

    def write(self, data: object) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


_GONE = _Gone()


class DetachableHttp(HttpToolsProtocol):
    """HTTP/1.1 whose transport can be taken for a stream that the end of the connection ends."""

    def on_headers_complete(self) -> None:
        before = self.cycle
        super().on_headers_complete()
        cycle = self.cycle
        if cycle is not before:
            # One request may be answered while the next has come already: each has its own way out.
            scope = cast("dict[str, Any]", self.scope)
            scope["extensions"] = {DETACH: partial(self._detach, cycle)}
            cycle.on_response = partial(self._answered, scope)

    def _answered(self, scope: dict[str, Any]) -> None:
        scope.pop("extensions", None)
        self.on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._close_way_out()

    def handle_websocket_upgrade(self) -> None:
        super().handle_websocket_upgrade()
        self._close_way_out()
        self._let_go()

    def _detach(
        self, cycle: RequestResponseCycle, protocol: asyncio.Protocol, headers: Headers
    ) -> asyncio.Transport | None:
        transport = self.transport
        if cycle.disconnected or transport.is_closing():
            return None
        head = [STATUS_LINE[200]]
        for name, value in (*self.server_state.default_headers, *headers, (b"connection", b"close")):
            head += (name, b": ", value, b"\r\n")
        head.append(b"\r\n")
        # For the request, the answer is complete. A client that asked for more beforehand gets no answer to that.
        cycle.response_started = cycle.response_complete = True
        cycle.transport = _GONE
        cast("dict[str, Any]", cycle.scope).pop("extensions", None)
        self._close_way_out()
        self._unset_keepalive_if_required()
        self.connections.discard(self)
        self.pipeline.clear()
        self.flow.resume_reading()
        transport.set_protocol(protocol)
        transport.write(b"".join(head))
        self._let_go()
        return transport

    def _close_way_out(self) -> None:
        """It holds on to this object, which would then be gone only when rings of objects are looked for."""
        scope = cast("dict[str, Any] | None", self.scope)
        if scope is not None:
            scope.pop("extensions", None)

    def _let_go(self) -> None:
        """Of what holds on to this object likewise."""
        self.parser = self.scope = self.headers = self.cycle = self.flow = None  # pyright: ignore
        self.transport = _GONE


class DetachableWebSocket(WebSocketsSansIOProtocol):
    """A WebSocket whose transport can be taken once the handshake is done."""

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            cast("dict[str, Any]", self.scope)["extensions"][DETACH] = self._detach

    def data_received(self, data: bytes) -> None:
        if self.handshake_initiated and not self.handshake_complete:
            # RFC 6455, 4.1: a client waits for the answer. What it says before would be lost when we detach.
            self.transport.abort()
            return
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._close_way_out()

    def _detach(self, protocol: asyncio.BaseProtocol) -> asyncio.Transport | None:
        transport = self.transport
        if self.disconnected or self.close_sent or transport.is_closing():
            return None
        self.stop_keepalive()
        self._close_way_out()
        self.connections.discard(self)
        if self.read_paused:
            transport.resume_reading()
        transport.set_protocol(protocol)
        self.transport = _GONE
        self.conn.parser.close()  # a generator that holds on to its object
        return transport

    def _close_way_out(self) -> None:
        if self.handshake_initiated:
            cast("dict[str, Any]", self.scope).get("extensions", {}).pop(DETACH, None)
