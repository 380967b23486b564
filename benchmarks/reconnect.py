"""Two thousand watchers of a growing log lose their server by `kill -9` and come back at once when it is there again.

The clock runs from the moment at which they connect again, when the server answers, until each has something that was written
after that moment, and everything before it. Ours includes the agent's way back: its log grows by a job that went on meanwhile.
The baseline appends to a file in its own process.
"""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from benchmarks import stages
from benchmarks.crowd.__main__ import Wish
from benchmarks.crowd.handle import Resumed, watching
from benchmarks.harness import Report, Row, median, take_turns
from benchmarks.processes import allow_open_files, cores, peak_rss_bytes, pinned
from benchmarks.stages import CHUNK_BYTES, INTERVAL_MS, Script
from tests.support.house import House, free_port

MANY = 2000
FILES_BESIDE = 200
LONG = 3000
"""Chunks: more than are ever written. The writer ends when its file is gone."""


@dataclass(frozen=True)
class Mortal:
    """A server that can be killed and started again; `restart` gives the new process, once it answers."""

    go: Path
    wish: Wish
    restart: Callable[[], Awaitable[int]]


class Sample(NamedTuple):
    """One restart: the times of coming back, and the most memory (bytes) that the new server had."""

    resumed: Resumed
    peak: int


async def measure(folder: Path, quick: bool) -> Report:
    """Seconds until all have caught up, and peak memory, for both forms."""
    room = allow_open_files(MANY + FILES_BESIDE) - FILES_BESIDE
    many, rounds = (10, 1) if quick else (min(MANY, room), 2)
    rows: list[Row] = []
    notes: list[str] = []
    for form, title in (("sse", "SSE"), ("live", "WebSocket")):
        script = Script(form, many, 0)
        ours, bare = await take_turns(
            rounds,
            lambda it=script: _perform(folder, _ours, it),
            lambda it=script: _perform(folder, _bare, it),
            60,
        )
        who = f"reconnect: {many:,} {title}"
        for name, value, unit in (("all caught up", _caught_up, "s"), ("peak memory", _peak_mb, "MB")):
            found, compared = ([value(sample) for sample in samples] for samples in (ours, bare))
            rows.append(Row(f"{who}, {name}", median(found), median(compared), unit, len(ours)))
        notes.append(
            f"{who}: all answered after {median([one.resumed.connected_s for one in ours]):.2f} s"
            f" (baseline {median([one.resumed.connected_s for one in bare]):.2f}), the first caught up after"
            f" {median([one.resumed.first_s for one in ours]):.2f} s ({median([one.resumed.first_s for one in bare]):.2f});"
            " every byte was compared at every watcher."
        )
    return Report(tuple(rows), tuple(notes))


async def _perform(
    folder: Path, begin: Callable[[Path, Script], AbstractAsyncContextManager[Mortal]], script: Script
) -> Sample:
    with tempfile.TemporaryDirectory(dir=folder) as own:
        async with begin(Path(own), script) as mortal:
            mortal.go.touch()
            async with watching(mortal.wish, cores()[1]) as crowd:
                pid = await mortal.restart()
                resumed = await crowd.resume(within_s=60)
                peak = peak_rss_bytes(pid)
                await crowd.end()
                mortal.go.unlink()
                return Sample(resumed, peak)


@asynccontextmanager
async def _ours(folder: Path, script: Script) -> AsyncGenerator[Mortal]:
    go = folder / "go"
    with House(folder) as house:
        server = stages.start_apart(house)
        run = stages.begin_run(house, shlex.join(stages.writer(LONG, go)))

        async def restart() -> int:
            server.kill()
            with pinned(cores()[0]):
                return house.server().pid

        yield Mortal(go, stages.wish_for(house.port, script, stages.log_of(house, run)), restart)
        house.wait_log(run)


@asynccontextmanager
async def _bare(folder: Path, script: Script) -> AsyncGenerator[Mortal]:
    go = folder / "go"
    port = free_port()
    arguments = (script.form, str(port), str(folder / "log"), str(go), str(CHUNK_BYTES), str(INTERVAL_MS))
    async with AsyncExitStack() as second:
        first = AsyncExitStack()
        await first.enter_async_context(stages.serving("bare_log", *arguments))

        async def restart() -> int:
            await first.aclose()
            return (await second.enter_async_context(stages.serving("bare_log", *arguments)))[0]

        second.push_async_callback(first.aclose)
        wish = Wish(port, script.watchers, script.form, "/stream", "log/1", "none", 0)
        yield Mortal(go, wish, restart)


def _caught_up(sample: Sample) -> float:
    return sample.resumed.caught_up_s


def _peak_mb(sample: Sample) -> float:
    return sample.peak / 1e6
