"""From a process writing a line to an SSE client receiving it, with one watcher and with 200.

The process puts its own time into each line, 50 to 200 ms after the one before; another process reads all watchers' sockets
in one epoll loop. The baseline is the same process on a pipe to a program that does nothing but write what it reads to the
same number of sockets.
"""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from asyncio.subprocess import PIPE
from itertools import count
from pathlib import Path

from benchmarks.harness import Report, Row, percentile, take_turns
from benchmarks.load import start
from tests.support.house import ADMIN_TOKEN, House
from tests.support.waiting import wait_for

CHECKOUT = Path(__file__).parents[1]
FIRST_MS = 50
LAST_MS = 200


async def measure(folder: Path, quick: bool) -> Report:
    """p50 and p99 over all watchers and lines."""
    rounds, lines, crowds = (1, 5, (1, 5)) if quick else (3, 60, (1, 200))
    rows: list[Row] = []
    notes: list[str] = []
    with House(folder) as house:
        start(house)
        bench = Bench(house, folder, lines)
        for watchers in crowds:
            ours, baseline = await take_turns(
                rounds, lambda n=watchers: bench.ours(n), lambda n=watchers: bench.baseline(n), within_s=60
            )
            late, bare = _all_ms(ours), _all_ms(baseline)
            who = f"{watchers} watcher{'s' if watchers > 1 else ''}"
            rows += [
                Row(
                    f"latency: {who}, p{rank}",
                    percentile(late, rank),
                    percentile(bare, rank),
                    "ms",
                    len(ours),
                )
                for rank in (50, 99)
            ]
            notes.append(
                f"Latency with {who}: {len(late):,} samples each;"
                f" the worst {max(late):.1f} ms, of the baseline {max(bare):.1f} ms."
            )
    return Report(tuple(rows), tuple(notes))


class Bench:
    """A house, and the processes that are started beside it."""

    def __init__(self, house: House, folder: Path, lines: int) -> None:
        self._house = house
        self._folder = folder
        self._lines = lines
        self._project = house.project()
        self._numbers = count()

    async def ours(self, watchers: int) -> list[int]:
        """How late (ns) each line was at each watcher of the job's log."""
        number = next(self._numbers)
        go = self._folder / f"go-{number}"
        script = shlex.join(self._writer(number, go))
        plan = self._house.script_plan(script, name=f"writer-{number}", project=self._project)
        run = self._house.run(plan)
        attempt = wait_for(lambda: self._house.attempt(run), f"run {run} to have an attempt")
        path = f"/api/logs/{attempt['log']}/stream?from=0"
        late = await self._watch(self._house.port, watchers, go, path, ADMIN_TOKEN)
        self._house.wait_state(run, "passed")
        return late

    async def baseline(self, watchers: int) -> list[int]:
        """The same of the bare feed."""
        number = next(self._numbers)
        go = self._folder / f"go-{number}"
        command = ("-m", "benchmarks.feed", str(watchers), *self._writer(number, go))
        feed = await asyncio.create_subprocess_exec(sys.executable, *command, cwd=CHECKOUT, stdout=PIPE)
        assert feed.stdout is not None
        port = int(await feed.stdout.readline())
        late = await self._watch(port, watchers, go)
        await feed.wait()
        return late

    def _writer(self, seed: int, go: Path) -> tuple[str, ...]:
        script = str(CHECKOUT / "benchmarks" / "writer.py")
        return (sys.executable, script, *map(str, (self._lines, seed, FIRST_MS, LAST_MS, go)))

    async def _watch(self, port: int, watchers: int, go: Path, *request: str) -> list[int]:
        command = ("-m", "benchmarks.watchers", str(port), str(watchers), str(go), *request)
        client = await asyncio.create_subprocess_exec(sys.executable, *command, cwd=CHECKOUT, stdout=PIPE)
        output, _ = await client.communicate()
        if client.returncode != 0:
            raise RuntimeError(f"the watchers ended with {client.returncode}")
        late: list[list[int]] = json.loads(output)["late_ns"]
        wrong = [len(one) for one in late if len(one) != self._lines]
        if wrong:
            raise RuntimeError(f"{len(wrong)} watchers did not get {self._lines} lines, but {set(wrong)}")
        return [ns for one in late for ns in one]


def _all_ms(samples: list[list[int]]) -> list[float]:
    return [ns / 1e6 for sample in samples for ns in sample]
