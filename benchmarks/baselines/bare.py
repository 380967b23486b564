"""The limit: an asyncio protocol on uvloop that writes the same bytes to every transport, and does nothing else.

`bare.py sse|live [--go FILE --chunks N …]`; without `--go` it hands out what comes on standard input.
"""

from __future__ import annotations

import asyncio
from typing import cast

import uvloop

from benchmarks.baselines.feeding import GREETING, Feed
from benchmarks.baselines.shapes import SSE_HEAD, live_message, sse_event, text_frame, upgrade_answer


class Watcher(asyncio.Protocol):
    """One connection; `watching` has its transport once it has asked."""

    def __init__(self, form: str, greeting: bytes, watching: set[asyncio.Transport]) -> None:
        self._form = form
        self._greeting = greeting
        self._watching = watching
        self._asked = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its bases

    def data_received(self, data: bytes) -> None:
        if self._transport in self._watching:
            return
        self._asked += data
        if b"\r\n\r\n" in self._asked:
            head = SSE_HEAD if self._form == "sse" else upgrade_answer(self._asked)
            self._asked = b""
            self._transport.write(head + self._greeting)
            self._watching.add(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._watching.discard(self._transport)


async def serve(feed: Feed) -> None:
    """Until the process is ended."""
    watching: set[asyncio.Transport] = set()

    def shape(offset: int, data: bytes) -> bytes:
        return sse_event(offset, data) if feed.form == "sse" else text_frame(live_message(offset, data))

    def give(offset: int, data: bytes) -> None:
        frame = shape(offset, data)
        for transport in watching:
            transport.write(frame)

    greeting = shape(0, GREETING)
    server = await asyncio.get_running_loop().create_server(
        lambda: Watcher(feed.form, greeting, watching), "127.0.0.1", 0, backlog=4096
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await feed.give_all(give)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(Feed.parse()))
