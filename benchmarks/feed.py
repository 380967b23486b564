"""The least that could stand between a process and its watchers: `feed.py COUNT COMMAND…`.

It prints the port that it listens on, greets COUNT connections, starts the command once all are there, and writes each piece
of its output to all of them. The loop is the server's (uvloop).
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from typing import cast

import uvloop

GREETING = b"welcome\n"


class Watcher(asyncio.Protocol):
    """One connection."""

    def __init__(self, came: Callable[[asyncio.Transport], None]) -> None:
        self._came = came

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        line = cast(asyncio.Transport, transport)  # uvloop's is one in all but its bases
        line.write(GREETING)
        self._came(line)


class Output(asyncio.Protocol):
    """The command's output, as it comes."""

    def __init__(self, watchers: list[asyncio.Transport], ended: asyncio.Event) -> None:
        self._watchers = watchers
        self._ended = ended

    def data_received(self, data: bytes) -> None:
        for watcher in self._watchers:
            watcher.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        for watcher in self._watchers:
            watcher.close()
        self._ended.set()


async def feed(count: int, command: list[str]) -> None:
    """Serve until the command ends."""
    loop = asyncio.get_running_loop()
    watchers: list[asyncio.Transport] = []
    full = asyncio.Event()
    ended = asyncio.Event()

    def came(transport: asyncio.Transport) -> None:
        watchers.append(transport)
        if len(watchers) == count:
            full.set()

    server = await loop.create_server(lambda: Watcher(came), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await full.wait()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        await loop.connect_read_pipe(lambda: Output(watchers, ended), process.stdout)
        await ended.wait()
    await asyncio.sleep(0)  # the transports' last turn: what was written leaves before the loop does
    server.close()
    await server.wait_closed()


if __name__ == "__main__":
    uvloop.run(feed(int(sys.argv[1]), sys.argv[2:]))
