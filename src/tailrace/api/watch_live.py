"""`/api/live`: one WebSocket that carries every list and log its client watches."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from starlette.routing import WebSocketRoute
from starlette.types import Receive, Scope, Send

from tailrace.api.auth import client_of
from tailrace.api.detach import DetachSocket, way_out
from tailrace.api.live_connection import LiveConnection
from tailrace.api.live_socket import LiveSocket
from tailrace.api.outlet import AsgiOutlet, as_message
from tailrace.api.problems import crowded, refuse_socket
from tailrace.domain.errors import Crowded
from tailrace.live.hub import LogHub
from tailrace.live.topics import TopicHub


def live_router(log_hub: LogHub, topic_hub: TopicHub) -> APIRouter:
    """`WS /api/live`."""
    router = APIRouter()
    router.routes.append(WebSocketRoute("/api/live", _Endpoint(log_hub, topic_hub), name="live"))
    return router


class _Endpoint:
    def __init__(self, logs: LogHub, topics: TopicHub) -> None:
        self._logs = logs
        self._topics = topics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (await receive())["type"] != "websocket.connect":
            return
        detach: DetachSocket | None = way_out(scope)
        kind = LiveConnection if detach is None else LiveSocket
        connection = kind(self._logs, self._topics, client_of(scope))
        try:
            self._logs.connections.join(connection)
        except Crowded as error:
            await refuse_socket(scope, send, crowded(error))
            return
        taken = False
        try:
            await send({"type": "websocket.accept"})
            if detach is None:
                await _serve(connection, receive, send)
                return
            transport = detach(connection)
            if transport is not None:
                taken = True
                connection.start(transport)
        finally:
            if not taken:
                connection.connection_lost(None)


async def _serve(connection: LiveConnection, receive: Receive, send: Send) -> None:
    outlet = AsgiOutlet(connection, send, as_message)
    connection.start(outlet)

    async def read() -> None:
        while (message := await receive())["type"] != "websocket.disconnect":
            await connection.obey(message.get("text") or message.get("bytes") or b"")
            await outlet.room()

    both = (asyncio.create_task(outlet.run()), asyncio.create_task(read()))
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in both:
            task.cancel()
        ends = await asyncio.gather(*both, return_exceptions=True)
    for end in ends:
        if isinstance(end, Exception) and not isinstance(end, OSError):
            raise end
