"""A sealed log of 1 GB: searching it, and reading one line of it, by HTTP; beside the same on the raw file in memory.

The file is made up (`corpus/made.py`), with a few needles in it; a job prints it, and the server seals it. The baseline is
Python's `mmap.find` and `re` on the file, all of which is in the system's cache.
"""

from __future__ import annotations

import asyncio
import json
import mmap
import random
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.corpus.made import write_made
from benchmarks.harness import Report, Row, median, percentile, take_turns
from benchmarks.load import start
from benchmarks.sealed import Sealed, wait_sealed
from tests.support.house import House

FULL_BYTES = 1_000_000_000
QUICK_BYTES = 2_000_000
NEEDLE = "Needle-4711 lost"
EXPRESSION = "Needle-[0-9]+ (lost|found)"
PLACES = (0.0001, 0.25, 0.5, 0.75, 0.9999)
BLOCK_BYTES = 1024 * 1024
LINE_SAMPLES = 50
SCAN_SAMPLES = 5


class Question(NamedTuple):
    """What is searched for: how we are asked, and how the file is searched."""

    name: str
    query: dict[str, str]
    scan: Callable[[mmap.mmap], Iterator[int]]
    limit: str


class Answer(NamedTuple):
    """Seconds until the first hit, and until all were found."""

    first_s: float
    all_s: float


def literal(data: mmap.mmap) -> Iterator[int]:
    at = data.find(NEEDLE.encode())
    while at >= 0:
        yield at
        at = data.find(NEEDLE.encode(), at + 1)


def ignoring_case(data: mmap.mmap) -> Iterator[int]:
    return (hit.start() for hit in re.finditer(NEEDLE.encode(), data, re.IGNORECASE))


def expression(data: mmap.mmap) -> Iterator[int]:
    return (hit.start() for hit in re.finditer(EXPRESSION.encode(), data))


QUESTIONS = (
    Question("literal search", {"q": NEEDLE, "case": "1"}, literal, "≥ 500 MB/s"),
    Question("search ignoring case", {"q": NEEDLE.lower()}, ignoring_case, ""),
    Question("regular expression", {"q": EXPRESSION, "regex": "1", "case": "1"}, expression, ""),
)


async def measure(folder: Path, quick: bool) -> Report:
    """MB/s of searches, ms until the first hit, ms for one line."""
    size, rounds = (QUICK_BYTES, 1) if quick else (FULL_BYTES, 3)
    raw = folder / "raw.txt"
    write_made(raw, size)
    _plant(raw, size)
    with House(folder) as house, raw.open("rb") as file:
        start(house)
        began_ms = time.time_ns() // 1_000_000
        run = house.run(house.script_plan(shlex.join(("cat", str(raw)))))
        sealed = await asyncio.to_thread(wait_sealed, house, run)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            bench = Bench(house, sealed, data, f"big_log: {size / 1e9:g} GB")
            rows: list[Row] = []
            for question in QUESTIONS:
                rows += await bench.search(question, rounds)
            rows += bench.line(LINE_SAMPLES if not quick else 5)
        notes = (
            f"{bench.who}: sealed {(sealed.sealed_ms - began_ms) / 1000:.1f} s after its run was submitted,"
            f" to {100 * sealed.packed / sealed.size:.1f} % of its size.{_grep(raw, size)}",
        )
    return Report(tuple(rows), notes)


class Bench:
    """A sealed log, and the file that was printed into it."""

    def __init__(self, house: House, sealed: Sealed, data: mmap.mmap, who: str) -> None:
        self.who = who
        self._house = house
        self._sealed = sealed
        self._data = data

    async def search(self, question: Question, rounds: int) -> tuple[Row, ...]:
        """Speed, and of the literal search also the first hit."""

        async def asked() -> Answer:
            return await asyncio.to_thread(self._ask, question)

        async def by_scan() -> Answer:
            return await asyncio.to_thread(self._scan, question)

        found, scanned = await take_turns(rounds, asked, by_scan, within_s=20)
        size = len(self._data) / 1e6
        ours_s, scan_s = (median([one.all_s for one in samples]) for samples in (found, scanned))
        speed = Row(
            f"{self.who}, {question.name}", size / ours_s, size / scan_s, "MB/s", len(found), question.limit
        )
        if question is not QUESTIONS[0]:
            return (speed,)
        ours_s, scan_s = (median([one.first_s for one in samples]) for samples in (found, scanned))
        return speed, Row(f"{self.who}, first hit", ours_s * 1000, scan_s * 1000, "ms", len(found))

    def line(self, samples: int) -> tuple[Row, ...]:
        """One line, anywhere; the baseline counts the newlines before it."""
        lines = sum(self._newlines())
        draw = random.Random(5)
        ours = [self._read_line(draw.randint(1, lines)) for _ in range(samples)]
        scans = [self._scan_line(draw.randint(1, lines)) for _ in range(SCAN_SAMPLES)]
        return tuple(
            Row(
                f"{self.who}, one line, p{rank}",
                percentile(ours, rank),
                percentile(scans, rank),
                "ms",
                samples,
                "≤ 20 ms",
            )
            for rank in (50, 99)
        )

    def _ask(self, question: Question) -> Answer:
        began = time.perf_counter()
        first_s = 0.0
        hits: list[str] = []
        path = f"/api/logs/{self._sealed.log}/search"
        with self._house.client.stream("GET", path, params=question.query) as answer:
            for line in answer.iter_lines():
                told = json.loads(line)
                if "text" in told:
                    first_s = first_s or time.perf_counter() - began
                    hits.append(told["text"])
                elif "error" in told:
                    raise RuntimeError(f"{question.name}: the search broke off: {told['error']}")
        taken = time.perf_counter() - began
        if len(hits) != len(PLACES) or not all(NEEDLE in hit for hit in hits):
            raise RuntimeError(f"{question.name}: {len(hits)} hits instead of {len(PLACES)}")
        return Answer(first_s, taken)

    def _scan(self, question: Question) -> Answer:
        began = time.perf_counter()
        times = [time.perf_counter() - began for _ in question.scan(self._data)]
        taken = time.perf_counter() - began
        if len(times) != len(PLACES):
            raise RuntimeError(f"{question.name}: the file has {len(times)} of {len(PLACES)} needles")
        return Answer(times[0], taken)

    def _read_line(self, number: int) -> float:
        """In ms."""
        began = time.perf_counter()
        answer = self._house.client.get(
            f"/api/logs/{self._sealed.log}", params={"lines": f"{number}-{number}"}
        )
        taken = time.perf_counter() - began
        if answer.status_code != 200 or answer.content.count(b"\n") != 1:
            raise RuntimeError(f"line {number} came as {answer.content[:200]!r}")
        return taken * 1000

    def _scan_line(self, number: int) -> float:
        """In ms."""
        began = time.perf_counter()
        start, before = 0, number - 1
        for found in self._newlines():
            if found > before:
                break
            before -= found
            start += BLOCK_BYTES
        at = start
        for _ in range(before):
            at = self._data.find(b"\n", at) + 1
        line = self._data[at : self._data.find(b"\n", at) + 1]
        taken = time.perf_counter() - began
        assert line.count(b"\n") == 1
        return taken * 1000

    def _newlines(self) -> Iterator[int]:
        """How many there are in each block."""
        return (
            self._data[at : at + BLOCK_BYTES].count(b"\n") for at in range(0, len(self._data), BLOCK_BYTES)
        )


def _plant(path: Path, size: int) -> None:
    line = f"\nerror: {NEEDLE}\n".encode()
    with path.open("r+b") as file:
        for place in PLACES:
            file.seek(int(size * place))
            file.write(line)


def _grep(raw: Path, size: int) -> str:
    """What grep makes of the same file, where there is one."""
    if shutil.which("grep") is None:
        return ""
    began = time.perf_counter()
    subprocess.run(["grep", "-F", "-c", NEEDLE, str(raw)], check=True, capture_output=True)
    return f" grep -F searches the raw file at {size / 1e6 / (time.perf_counter() - began):,.0f} MB/s."
