"""What one would write with Tornado: a WebSocket handler for each client, and a loop over all of them for each chunk.

`tornado_socket.py live --go FILE --chunks N …`.
"""

from __future__ import annotations

import asyncio
from typing import Any

import uvloop
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import WebSocketHandler

from benchmarks.baselines.feeding import GREETING, Feed
from benchmarks.baselines.shapes import live_message


class Watcher(WebSocketHandler):
    """One connection."""

    def initialize(self, watching: set[Watcher]) -> None:
        self._watching = watching

    def open(self, *args: str, **kwargs: str) -> None:
        self.write_message(live_message(0, GREETING))
        self._watching.add(self)

    def on_message(self, message: str | bytes) -> None:
        """What the client wishes to watch: there is one log."""

    def on_close(self) -> None:
        self._watching.discard(self)


async def serve(feed: Feed) -> None:
    """Until the process is ended."""
    watching: set[Watcher] = set()

    def give(offset: int, data: bytes) -> None:
        message = live_message(offset, data)
        for watcher in watching:
            watcher.write_message(message)

    routes: list[Any] = [("/stream", Watcher, {"watching": watching})]
    server = HTTPServer(Application(routes))
    sockets = bind_sockets(0, "127.0.0.1", backlog=4096)
    server.add_sockets(sockets)
    print(sockets[0].getsockname()[1], flush=True)
    await feed.give_all(give)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(Feed.parse()))
