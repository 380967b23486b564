"""The least that can be restarted without loss: a file of bytes, and a protocol that writes what a watcher has not had.

`bare_log.py sse|live PORT FILE GO SIZE INTERVAL_MS`: FILE grows by a chunk each INTERVAL_MS while the file GO is there.
"""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from typing import cast

import uvloop

from benchmarks.baselines.shapes import SSE_HEAD, live_message, sse_event, text_frame, upgrade_answer
from benchmarks.writer import chunk

RESUMED = re.compile(rb"\r\nlast-event-id: *(\d+)", re.IGNORECASE)
WISHED = re.compile(rb'"from": (\d+)')


class Log:
    """Bytes in memory and in a file, and the transports of those who watch them."""

    def __init__(self, path: Path, form: str) -> None:
        self.form = form
        self.watching: set[asyncio.Transport] = set()
        self._file = path.open("ab", buffering=0)
        self._data = bytearray(path.read_bytes())

    def grow(self, data: bytes) -> None:
        """Append, and tell all."""
        frame = self._shape(len(self._data), data)
        self._file.write(data)
        self._data += data
        for transport in self.watching:
            transport.write(frame)

    def after(self, offset: int) -> bytes:
        """What a watcher that comes needs; nothing when it has everything."""
        return self._shape(offset, bytes(self._data[offset:])) if offset < len(self._data) else b""

    def _shape(self, offset: int, data: bytes) -> bytes:
        return sse_event(offset, data) if self.form == "sse" else text_frame(live_message(offset, data))


class Watcher(asyncio.Protocol):
    """One connection: asks, is answered, and on a WebSocket says from where."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._asked = b""
        self._answered = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._asked += data
        if b"\r\n\r\n" in self._asked and not self._answered:
            self._answered = True
            if self._log.form == "sse":
                resumed = RESUMED.search(self._asked)
                self._transport.write(SSE_HEAD)
                self._watch(int(resumed[1]) if resumed else 0)
            else:
                self._transport.write(upgrade_answer(self._asked))
        elif self._answered and (wished := WISHED.search(data)):
            self._watch(int(wished[1]))

    def connection_lost(self, exc: Exception | None) -> None:
        self._log.watching.discard(self._transport)

    def _watch(self, offset: int) -> None:
        self._transport.write(self._log.after(offset))
        self._log.watching.add(self._transport)


async def serve(form: str, port: int, file: Path, go: Path, size: int, interval_ms: float) -> None:
    """Until the process is ended."""
    log = Log(file, form)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Watcher(log), "127.0.0.1", port, backlog=4096)
    if not log.after(0):
        log.grow(b"welcome\n")
    print(server.sockets[0].getsockname()[1], flush=True)
    while True:
        await asyncio.sleep(interval_ms / 1000)
        if go.exists():
            log.grow(chunk(size))


if __name__ == "__main__":
    _, form, port, file, go, size, interval_ms = sys.argv
    uvloop.run(serve(form, int(port), Path(file), Path(go), int(size), float(interval_ms)))
