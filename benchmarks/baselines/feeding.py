"""The chunks that a baseline hands out: made in its own process at a steady rate, or read from its standard input."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.writer import chunk

Give = Callable[[int, bytes], None]
"""Called with each chunk and the offset of its first byte."""

GREETING = b"welcome\n"
"""What each watcher gets at once: the log's first bytes, so that the client knows when all watch."""


class Feed(NamedTuple):
    """`chunks` of `size` bytes, `interval_ms` apart, once the file `go` is there; without it, what standard input brings."""

    form: str
    go: Path | None
    chunks: int
    interval_ms: float
    size: int

    @classmethod
    def parse(cls) -> Feed:
        """From the command line."""
        parser = argparse.ArgumentParser()
        parser.add_argument("form", choices=("sse", "live"))
        parser.add_argument("--go", type=Path)
        parser.add_argument("--chunks", type=int, default=0)
        parser.add_argument("--interval-ms", type=float, default=200)
        parser.add_argument("--size", type=int, default=1500)
        return cls(**vars(parser.parse_args()))

    async def give_all(self, give: Give) -> None:
        """Give the chunks; ends with the last."""
        if self.go is None:
            await self._give_input(give)
            return
        while not self.go.exists():
            await asyncio.sleep(0.01)
        loop = asyncio.get_running_loop()
        offset = len(GREETING)
        due = loop.time()
        for _ in range(self.chunks):
            due += self.interval_ms / 1000
            await asyncio.sleep(due - loop.time())
            data = chunk(self.size)
            give(offset, data)
            offset += len(data)

    async def _give_input(self, give: Give) -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: _Input(give, ended), sys.stdin.buffer)
        await ended.wait()


class _Input(asyncio.Protocol):
    def __init__(self, give: Give, ended: asyncio.Event) -> None:
        self._give = give
        self._ended = ended
        self._offset = len(GREETING)

    def data_received(self, data: bytes) -> None:
        self._give(self._offset, data)
        self._offset += len(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended.set()
