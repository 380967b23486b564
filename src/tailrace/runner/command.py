"""Commands to a running attempt, each with its cause, on a socket in the attempt's folder.

A connection carries one line of JSON each way: `{"abort": "who", "grace_s": 2, "times": 1}`, answered by `{"taken": true}`. The
grace is null where the lease's own will do; `times` is how often the end was wanted, null for once more.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import cast

from tailrace.runner.folder import AttemptFolder
from tailrace.runner.sockets import connect, listen
from tailrace.runner.stop import Stop

PATIENCE_S = 2.0
"""How long a runner that lives but does not listen yet is waited for, and how long an answer."""


async def send_abort(
    folder: AttemptFolder, by: str, grace_s: float | None = None, times: int | None = None
) -> bool:
    """Ask the folder's runner to end its attempt, with no more than this grace. See `Stop.abort` for `times`.

    False when none took it (it is not alive, or it has finished).

    A runner holds its lock a moment before it listens: while it does, this waits for it.
    """
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while True:
        try:
            connection = connect(folder.command)
            break
        except OSError:
            if not folder.is_alive() or asyncio.get_running_loop().time() > deadline:
                return False
            await asyncio.sleep(0.005)
    connection.setblocking(False)
    reader, writer = await asyncio.open_unix_connection(sock=connection)
    try:
        writer.write(json.dumps({"abort": by, "grace_s": grace_s, "times": times}).encode() + b"\n")
        async with asyncio.timeout(PATIENCE_S):
            return bool(await reader.readline())
    except (OSError, TimeoutError):
        return False
    finally:
        writer.close()


@asynccontextmanager
async def take_commands(folder: AttemptFolder, stop: Stop) -> AsyncGenerator[None, None]:
    """Listen on the folder's socket and pass commands to `stop`."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ValueError):
            message: object = json.loads(await reader.readline())
            if isinstance(message, dict) and "abort" in message:
                wish = cast(dict[str, object], message)
                grace_s = wish.get("grace_s")
                times = wish.get("times")
                stop.abort(
                    str(wish["abort"]),
                    grace_s if isinstance(grace_s, int | float) else None,
                    times if isinstance(times, int) else None,
                )
                writer.write(b'{"taken": true}\n')
                await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(take, sock=listen(folder.command))
    try:
        yield
    finally:
        server.close()
        folder.command.unlink(missing_ok=True)
