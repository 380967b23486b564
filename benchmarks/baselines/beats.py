"""The limit of what idle agents cost: a server on uvloop that welcomes them, reads their beats and does nothing else."""

from __future__ import annotations

import asyncio

import uvloop
from websockets.asyncio.server import ServerConnection, serve


async def _agent(socket: ServerConnection) -> None:
    await socket.recv()
    await socket.send('{"kind":"welcome"}')
    async for _ in socket:
        pass


async def main() -> None:
    """Until the process is ended."""
    async with serve(_agent, "127.0.0.1", 0, compression=None, backlog=4096) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
