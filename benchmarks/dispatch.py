"""Dispatch through a real server: how fast pending jobs reach many agents, and what agents cost that only wait.

The agents are simulated (`benchmarks.agents`). The baseline of leases is the same with a short queue, which shows
what the queue's length costs; that of idle agents is a server that only reads the same beats and answers the same pings.
"""

from __future__ import annotations

import asyncio
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.agents import Agents, furnish
from benchmarks.crowd.handle import CHECKOUT
from benchmarks.harness import Report, Row, median
from benchmarks.processes import cpu_s
from tests.support.house import House

TURNS = 3
BEAT_S = 3.75
"""How often an agent beats when leases last 30 s."""


async def measure(folder: Path, quick: bool) -> Report:
    """Two hundred agents and 10,000 pending jobs; a thousand agents with nothing to do."""
    crowd, long, short, leases = (4, 100, 50, 20) if quick else (200, 10_000, 2_000, 800)
    idle, seconds = (10, 1.0) if quick else (1000, 16.0)
    found: dict[int, list[Found]] = {long: [], short: []}
    turns = 1 if quick else TURNS
    for turn in range(turns):  # in turns: the machine is not the same from one minute to the next
        for size in found:
            found[size].append(await _leases(folder / f"full-{size}-{turn}", crowd, size, leases))
    full = [Found.median(of) for of in found.values()]
    ours, notes = await _idle(folder / "idle", idle, seconds)
    bare = await _bare(folder / "idle-bare", idle, seconds)
    name = f"dispatch: {long:,} pending, {crowd} agents"
    return Report(
        (
            Row(f"{name}, leases", full[0].rate, full[1].rate, "leases/s", turns, "≥ 300 leases/s"),
            Row(f"{name}, CPU a lease", full[0].cpu_ms, full[1].cpu_ms, "ms", turns, "≤ 1.25 ×"),
            Row(f"{name}, CPU a job", full[0].job_cpu_ms, full[1].job_cpu_ms, "ms", turns),
            Row(f"dispatch: {idle:,} idle agents, CPU", ours, bare, "%", 1, "≤ 5 %"),
        ),
        (
            f"dispatch: with a queue of {short:,} the same agents got {full[1].rate:,.0f} leases a second."
            f" A job is its lease, its facts and the end of its log: {full[0].job_rate:,.0f} a second.",
            notes,
        ),
    )


class Found(NamedTuple):
    """Leases a second, and the server's processor time for each; the same of jobs that are carried to their end."""

    rate: float
    cpu_ms: float
    job_rate: float
    job_cpu_ms: float

    @classmethod
    def of(cls, leases: int, seconds: float, cpu: float, job_seconds: float, job_cpu: float) -> Found:
        """From what so many leases, and so many jobs, took in seconds."""
        return cls(leases / seconds, cpu * 1000 / leases, leases / job_seconds, job_cpu * 1000 / leases)

    @classmethod
    def median(cls, of: list[Found]) -> Found:
        """Of each figure by itself."""
        return cls(*(median(figures) for figures in zip(*of, strict=True)))


async def _leases(folder: Path, crowd: int, pending: int, leases: int) -> Found:
    with _house(folder) as house:
        credentials = await furnish(house.data / "tailrace.db", crowd, pending)
        server = house.server()
        agents = await Agents.connect(house.port, credentials)
        try:
            count = min(leases, pending // 2)
            before = cpu_s(server.pid)
            given = await agents.take(count, carry=False)
            between = cpu_s(server.pid)
            carried = await agents.take(count, carry=True)
            return Found.of(
                count, given.seconds, between - before, carried.seconds, cpu_s(server.pid) - between
            )
        finally:
            await agents.end()


async def _idle(folder: Path, crowd: int, seconds: float) -> tuple[float, str]:
    with _house(folder) as house:
        credentials = await furnish(house.data / "tailrace.db", crowd, 0)
        server = house.server()
        before = cpu_s(server.pid)
        agents = await Agents.connect(house.port, credentials)
        connecting = (cpu_s(server.pid) - before) * 1000 / crowd
        try:
            share = await _share(server.pid, lambda: agents.beat(BEAT_S, seconds))
        finally:
            await agents.end()
        return (
            share,
            f"dispatch: {connecting:.1f} ms of the server's processor time for each agent that connects.",
        )


async def _bare(folder: Path, crowd: int, seconds: float) -> float:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.baselines.beats", cwd=CHECKOUT, stdout=PIPE
    )
    try:
        assert process.stdout is not None
        port = int(await process.stdout.readline())
        agents = await Agents.connect(port, [str(number) for number in range(crowd)])
        try:
            return await _share(process.pid, lambda: agents.beat(BEAT_S, seconds))
        finally:
            await agents.end()
    finally:
        process.kill()
        await process.wait()


async def _share(pid: int, work: Callable[[], Awaitable[None]]) -> float:
    """Per cent of one processor that the process uses meanwhile, once it has come to rest."""
    await asyncio.sleep(1)
    began, before = time.perf_counter(), cpu_s(pid)
    await work()
    return (cpu_s(pid) - before) * 100 / (time.perf_counter() - began)


def _house(folder: Path) -> House:
    folder.mkdir()
    return House(folder)
