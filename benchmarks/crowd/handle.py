"""A crowd in a process of its own, as the benchmark sees it."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.crowd.__main__ import Wish
from benchmarks.processes import pinned

CHECKOUT = Path(__file__).parents[2]
LINE_BYTES = 256 * 1024 * 1024
"""The most that a crowd says in one line: the lateness of every chunk at every watcher."""


class Heard(NamedTuple):
    """What the crowd found: how late (ns) each chunk was at each watcher, and the size of the log in bytes."""

    late_ns: list[int]
    size: int


class Resumed(NamedTuple):
    """Seconds from connecting again until all were answered, and until the first and the last had something new."""

    connected_s: float
    first_s: float
    caught_up_s: float


class Watching:
    """A crowd that watches."""

    def __init__(self, process: Process, connected_s: float) -> None:
        self._process = process
        self.connected_s = connected_s

    async def received(self, within_s: float) -> float:
        """Every watcher has got all chunks; the processor seconds that the crowd took for it. Raises RuntimeError."""
        return (await _told(self._process, "received", within_s))["received"]

    async def resume(self, within_s: float) -> Resumed:
        """Connect all again. Raises RuntimeError."""
        self._command("resume")
        return Resumed(**await _told(self._process, "caught_up_s", within_s))

    async def end(self) -> Heard:
        """End all connections."""
        self._command("end")
        told = await _told(self._process, "late_ns", 60)
        await self._process.wait()
        return Heard(told["late_ns"], told["size"])

    def _command(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n".encode())


@asynccontextmanager
async def watching(wish: Wish, processors: set[int], within_s: float = 120) -> AsyncGenerator[Watching]:
    """A crowd, on these processors, once every watcher has got something. Raises RuntimeError."""
    with pinned(processors):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "benchmarks.crowd", json.dumps(asdict(wish))),
            cwd=CHECKOUT,
            stdin=PIPE,
            stdout=PIPE,
            limit=LINE_BYTES,
        )
    try:
        told = await _told(process, "connected", within_s)
        yield Watching(process, told["connected"])
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _told(process: Process, word: str, within_s: float) -> dict[str, Any]:
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), within_s)
    except TimeoutError:
        raise RuntimeError(f"the watchers have not told within {within_s:g} s that they are {word}") from None
    told: dict[str, Any] = json.loads(line) if line else {"broken": "their process has ended"}
    if "broken" in told:
        raise RuntimeError(f"the watchers: {told['broken']}")
    return told
