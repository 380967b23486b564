"""From submitting a run that does nothing (`true`) to seeing that it has passed, for one run and for many at once.

A run is submitted by `POST /api/runs` and seen on a WebSocket that watches the topic `runs`, as the page does. The baseline
starts the same commands from asyncio: the script in a new folder, with the checkout's git commands before it where there is
a checkout, as many at once as the agent has room for.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.bare import carry_all
from benchmarks.harness import Report, Row, compare, median
from benchmarks.load import Submitter, Watch, start
from tests.support.house import House

FILES = 20
COMMITS = 5
FILE_BYTES = 4000


async def measure(folder: Path, quick: bool) -> Report:
    """One run and many, without a checkout and with one; agents with room for eight and for what is the default."""
    singles, rounds, many = (2, 1, 4) if quick else (20, 3, 100)
    source = make_repository(folder / "repository")
    default = os.cpu_count() or 1
    rows: list[Row] = []
    notes: tuple[str, ...] = ()
    for capacity in (8,) if quick else (8, default):
        with House(_new(folder / f"house-{capacity}"), TAILRACE_CAPACITY=str(capacity)) as house:
            start(house)
            bench = await Bench.begin(house, source, _new(folder / "bare"))
            try:
                if capacity == 8:
                    rows += [await bench.single(singles, checkout) for checkout in (False, True)]
                    notes = bench.parts()
                rows += [await bench.many(rounds, many, capacity, checkout) for checkout in (False, True)]
            finally:
                await bench.end()
    return Report(tuple(rows), notes)


class Bench:
    """A house with two plans of one no-op job, and a watch on its runs."""

    def __init__(
        self, house: House, watch: Watch, plans: dict[bool, int], source: tuple[str, str], bare: Path
    ) -> None:
        self._house = house
        self._watch = watch
        self._plans = plans
        self._source = source
        self._bare = bare
        self._singles: dict[bool, list[Single]] = {False: [], True: []}

    @classmethod
    async def begin(cls, house: House, source: tuple[str, str], bare: Path) -> Bench:
        """With everything warm: a first run of each plan starts what is started once."""
        project = house.project("bench", source[0])
        plans = {
            checkout: house.script_plan(
                "true", name=f"checkout-{checkout}", project=project, checkout=checkout
            )
            for checkout in (False, True)
        }
        bench = cls(house, await Watch.connect(house), plans, source, bare)
        for checkout in (False, True):
            await bench.submit(1, checkout)
        return bench

    async def end(self) -> None:
        await self._watch.__aexit__(None, None, None)

    async def submit(self, count: int, checkout: bool) -> float:
        """Submit runs at once; the seconds until all were seen to have passed."""
        submitter = await Submitter.connect(self._house, count)
        wish: dict[str, object] = {"plan": self._plans[checkout], "revision": self._source[1]}
        began = time.time()
        runs = await submitter.submit(wish)
        ended = await self._watch.passed(runs)
        submitter.close()
        if count == 1:
            self._singles[checkout].append(Single(runs[0], began, ended))
        return ended - began

    async def single(self, rounds: int, checkout: bool) -> Row:
        """One run at a time, in milliseconds."""

        async def ours() -> float:
            return await self.submit(1, checkout) * 1000

        async def baseline() -> float:
            return await carry_all(self._bare, 1, 1, self._source if checkout else None) * 1000

        row = await compare(f"no_op: one run{_with(checkout)}", "ms", rounds, ours, baseline)
        return row if checkout else replace(row, limit="≤ 40 ms")

    async def many(self, rounds: int, count: int, capacity: int, checkout: bool) -> Row:
        """Many runs at once, in milliseconds until the last has passed."""

        async def ours() -> float:
            return await self.submit(count, checkout) * 1000

        async def baseline() -> float:
            return await carry_all(self._bare, count, capacity, self._source if checkout else None) * 1000

        name = f"no_op: {count} at once, capacity {capacity}{_with(checkout)}"
        row = await compare(name, "ms", rounds, ours, baseline)
        return replace(row, limit="≤ 1200 ms") if (capacity, checkout) == (8, False) else row

    def parts(self) -> tuple[str, ...]:
        """Where the time of the single runs went; the first, which warmed everything, is left out."""
        moments = read_moments(self._house.data / "tailrace.db")
        return tuple(
            f"The parts of one run{_with(checkout)}, medians in ms: {_parts(singles[1:], moments)}"
            for checkout, singles in self._singles.items()
        )


class Single:
    """One run: when it was submitted and seen to have passed, in s since the epoch by the client's clock."""

    def __init__(self, run: int, submitted: float, seen: float) -> None:
        self.run = run
        self.submitted = submitted * 1000
        self.seen = seen * 1000


Moments = dict[int, tuple[int, int, int]]
"""Of each run: when its attempt was leased, started and finished, in ms since the epoch."""


def read_moments(database: Path) -> Moments:
    """From the store itself: the API does not tell when an attempt was leased."""
    query = "SELECT run_id, leased_at, started_at, finished_at FROM attempt WHERE finished_at IS NOT NULL"
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return {row[0]: row[1:] for row in connection.execute(query)}
    finally:
        connection.close()


def _parts(singles: list[Single], moments: Moments) -> str:
    points = [(one.submitted, *moments[one.run], one.seen) for one in singles]
    names = ("submitted → leased", "leased → started", "started → finished", "finished → seen")
    return ", ".join(
        f"{name} {median([after[place + 1] - after[place] for after in points]):.1f}"
        for place, name in enumerate(names)
    )


def make_repository(path: Path) -> tuple[str, str]:
    """A small git repository with some history; its path and last commit."""
    path.mkdir()
    _git(path, "init", "--quiet", "--initial-branch=main")
    for number in range(FILES):
        (path / f"file-{number}.txt").write_bytes(f"line {number} of a file\n".encode() * (FILE_BYTES // 20))
    for number in range(COMMITS):
        (path / "file-0.txt").write_text(f"change {number}\n")
        _git(path, "add", "--all")
        _git(
            path,
            "-c",
            "user.name=Bench",
            "-c",
            "user.email=bench@example.org",
            "commit",
            "-qm",
            f"Change {number}",
        )
    return str(path), _git(path, "rev-parse", "HEAD")


def _git(path: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(path), *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _new(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def _with(checkout: bool) -> str:
    return " with checkout" if checkout else ""
