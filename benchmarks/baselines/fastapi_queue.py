"""What one would write with FastAPI: a `StreamingResponse` with a queue for each client, on uvicorn, uvloop and httptools.

`fastapi_queue.py sse --go FILE --chunks N …`. The events are encoded once, which is more than most do.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator

import uvicorn
import uvloop
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from benchmarks.baselines.feeding import GREETING, Feed
from benchmarks.baselines.shapes import sse_event

HEADERS = {"cache-control": "no-cache, no-transform", "x-accel-buffering": "no"}


def make_app(queues: set[asyncio.Queue[bytes]]) -> FastAPI:
    """`GET /stream`; what is put into a queue is sent to its client."""
    app = FastAPI()

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        queue.put_nowait(sse_event(0, GREETING))
        queues.add(queue)
        return StreamingResponse(events(queue), media_type="text/event-stream", headers=HEADERS)

    async def events(queue: asyncio.Queue[bytes]) -> AsyncGenerator[bytes]:
        try:
            while True:
                yield await queue.get()
        finally:
            queues.discard(queue)

    return app


async def serve(feed: Feed) -> None:
    """Until the process is ended."""
    queues: set[asyncio.Queue[bytes]] = set()

    def give(offset: int, data: bytes) -> None:
        event = sse_event(offset, data)
        for queue in queues:
            queue.put_nowait(event)

    config = uvicorn.Config(
        make_app(queues), http="httptools", log_config=None, access_log=False, lifespan="off"
    )
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listening:
        print(listening.getsockname()[1], flush=True)
        async with asyncio.TaskGroup() as group:
            group.create_task(feed.give_all(give))
            group.create_task(uvicorn.Server(config).serve(sockets=[listening]))


if __name__ == "__main__":
    uvloop.run(serve(Feed.parse()))
