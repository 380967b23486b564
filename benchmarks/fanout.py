"""Thousands of watchers of one log that grows by five chunks a second: what each delivery and each watcher costs the server.

Ours is a Tailrace whose log is written by a job, so that its processor time has everything in it: the agent's frames, the
store, the disk. The baselines make the same chunks in their own process. Every server has a processor of its own, and so
has the client, which checks that every watcher gets every byte. Each round starts a new server.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from benchmarks import stages
from benchmarks.crowd.handle import watching
from benchmarks.harness import Report, Row, median, percentile
from benchmarks.processes import allow_open_files, cores, cpu_s, rss_bytes
from benchmarks.stages import Script, Stage

MANY = 9000
CROWD = 1000
WARMING = 20
FILES_BESIDE = 200
"""Open files of a server or a client beside its connections."""

NAMES = {"sse": "SSE", "live": "WebSocket"}
PEERS = {"sse": ("fastapi_queue", "FastAPI"), "live": ("tornado_socket", "Tornado")}
CPU_LIMITS = {"sse": 1.25, "live": 1.4}
MEMORY_LIMITS = {"sse": 3.0, "live": 8.0}

Open = Callable[[Path, Script], AbstractAsyncContextManager[Stage]]


class Sample(NamedTuple):
    """One round: processor time (µs) for each delivery, memory (KB) for each watcher, how late (ms) each chunk was."""

    cpu_us: float
    memory_kb: float
    late_ms: list[float]
    connected_s: float
    client: float
    """How much of its processor the client took."""


async def measure(folder: Path, quick: bool) -> Report:
    """Cost of a delivery and a watcher for both forms; then latency."""
    room = allow_open_files(MANY + FILES_BESIDE) - FILES_BESIDE
    many, crowd, chunks, rounds = (20, 10, 3, 1) if quick else (min(MANY, room), min(CROWD, room), 20, 2)
    bench = Bench(folder)
    rows: list[Row] = []
    notes: list[str] = []
    for form in ("sse", "live"):
        found = await bench.costs(Script(form, many, chunks), rounds)
        rows += found.rows
        notes += found.notes
    late = await bench.latency(Script("sse", crowd, chunks * 2), rounds)
    return Report((*rows, *late.rows), (*notes, *late.notes, await bench.feeding(chunks)))


class Bench:
    """A folder in which each round has its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def costs(self, script: Script, rounds: int) -> Report:
        """Ours beside the bare protocol and beside what others would build, in turns; the others' once."""
        module, title = PEERS[script.form]
        ours: list[Sample] = []
        bare: list[Sample] = []
        peer: list[Sample] = []
        for number in range(rounds):
            ours.append(await self._perform(stages.ours, script))
            bare.append(await self._perform(_bare, script))
            if number == 0:
                peer.append(await self._perform(_peer(module), script))
        who = f"fanout: {script.watchers:,} {NAMES[script.form]}"
        most, limit = MEMORY_LIMITS[script.form], CPU_LIMITS[script.form]
        rows = (
            _row(f"{who}, CPU a delivery, bare", _cpu, ours, bare, "µs", f"≤ {limit:.2f} ×"),
            _row(f"{who}, CPU a delivery, {title}", _cpu, ours, peer, "µs", "≤ 0.333 ×"),
            _row(f"{who}, memory a watcher, bare", _memory, ours, bare, "KB", f"≤ {most:.0f} KB"),
            _row(
                f"{who}, memory a watcher, {title}",
                _memory,
                ours,
                peer,
                "KB",
                "≤ 0.125 ×" if script.form == "sse" else "",
            ),
        )
        notes = tuple(
            f"{who}, {name}: {_late(samples)}; all connected after {median([one.connected_s for one in samples]):.1f} s;"
            f" the client took {median([one.client for one in samples]):.0%} of its processor."
            for name, samples in (("ours", ours), ("bare", bare), (title, peer))
        )
        return Report(rows, notes)

    async def latency(self, script: Script, rounds: int) -> Report:
        """From the process writing to the watcher having it; the bare protocol reads the process's pipe."""
        ours: list[Sample] = []
        bare: list[Sample] = []
        for _ in range(rounds):
            ours.append(await self._perform(stages.ours, script))
            bare.append(await self._perform(_bare_on_pipe, script))
        who = f"fanout: {script.watchers:,} {NAMES[script.form]}"
        rows = tuple(
            Row(
                f"{who}, latency p{rank}",
                percentile(_all_late(ours), rank),
                percentile(_all_late(bare), rank),
                "ms",
                rounds,
                f"≤ {limit:.1f} ×",
            )
            for rank, limit in ((50, 1.5), (99, 2.0))
        )
        return Report(
            rows, tuple(f"{who}, {name}: {_late(found)}." for name, found in (("ours", ours), ("bare", bare)))
        )

    async def feeding(self, chunks: int) -> str:
        """What the feeding alone costs, of which the figures above have their share."""
        script = Script("sse", 1, chunks)
        ours = await self._perform(stages.ours, script)
        bare = await self._perform(_bare, script)
        return (
            f"With one watcher, a chunk costs our server {ours.cpu_us / 1000:.2f} ms (receiving, disk, store, acknowledging)"
            f" and the bare protocol {bare.cpu_us / 1000:.2f}; this is in the figures above."
        )

    async def _perform(self, open_stage: Open, script: Script) -> Sample:
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            async with open_stage(Path(folder), script) as stage:
                return await perform(stage)


async def perform(stage: Stage) -> Sample:
    """Watch, let the log grow, and look at what it took."""
    others = cores()[1]
    wish = stage.wish
    async with watching(replace(wish, watchers=min(WARMING, wish.watchers), chunks=0), others) as warming:
        await warming.end()
    rss = rss_bytes(stage.pid)
    async with watching(wish, others) as crowd:
        cpu = cpu_s(stage.pid)
        stage.go.touch()
        client_s = await crowd.received(within_s=60 + wish.chunks)
        cpu = cpu_s(stage.pid) - cpu
        grown = max(rss_bytes(stage.pid) - rss, 1)  # of a few watchers it may be nothing
        heard = await crowd.end()
    written_s = wish.chunks * stages.INTERVAL_MS / 1000
    return Sample(
        cpu_us=cpu / (wish.watchers * wish.chunks) * 1e6,
        memory_kb=grown / wish.watchers / 1024,
        late_ms=[ns / 1e6 for ns in heard.late_ns],
        connected_s=crowd.connected_s,
        client=client_s / written_s,
    )


def _bare(folder: Path, script: Script) -> AbstractAsyncContextManager[Stage]:
    return stages.baseline(folder, "bare", script)


def _bare_on_pipe(folder: Path, script: Script) -> AbstractAsyncContextManager[Stage]:
    return stages.fed_by_process(folder, "bare", script)


def _peer(module: str) -> Open:
    return lambda folder, script: stages.baseline(folder, module, script)


def _cpu(sample: Sample) -> float:
    return sample.cpu_us


def _memory(sample: Sample) -> float:
    return sample.memory_kb


def _row(
    name: str,
    value: Callable[[Sample], float],
    ours: list[Sample],
    baseline: list[Sample],
    unit: str,
    limit: str,
) -> Row:
    found, compared = ([value(sample) for sample in samples] for samples in (ours, baseline))
    return Row(name, median(found), median(compared), unit, min(len(ours), len(baseline)), limit)


def _all_late(samples: list[Sample]) -> list[float]:
    return list(chain.from_iterable(sample.late_ms for sample in samples))


def _late(samples: list[Sample]) -> str:
    late = _all_late(samples)
    return f"latency p50 {percentile(late, 50):.1f}, p99 {percentile(late, 99):.1f}, worst {max(late):.1f} ms"
