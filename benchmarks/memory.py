"""The memory of an idle agent with its warm parent, and what each runner adds to it while its job runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.harness import Report, Row, median
from benchmarks.processes import rss_bytes, unique_bytes
from tests.support.house import House
from tests.support.waiting import wait_for

AT_ONCE = 8
PLAIN = "import asyncio, subprocess; subprocess.run(['true']); print(flush=True); input()"


async def measure(folder: Path, quick: bool) -> Report:
    """Megabytes; the baseline is a new Python that has imported asyncio and started a program."""
    many = 2 if quick else AT_ONCE
    with House(folder, TAILRACE_CAPACITY=str(many)) as house:
        agent = house.up()
        runs = [house.run(house.script_plan("true", checkout=False, name="first"))]
        house.wait_state(runs[0], "passed")
        pid = _agent_of(agent.pid)
        resident, unique = rss_bytes(pid), unique_bytes(pid)
        warm = unique_bytes(_warm_parent(folder))
        plan = house.script_plan(
            f"echo $PPID > {folder}/$TAILRACE_RUN_ID; sleep 1000", checkout=False, name="long"
        )
        runs = [house.run(plan) for _ in range(many)]
        places = [folder / str(run) for run in runs]
        wait_for(lambda: all(place.exists() and place.read_text() for place in places), "the runners")
        runners = [unique_bytes(int(place.read_text())) for place in places]
        for run in runs:
            house.post(f"/api/runs/{run}/abort")
        for run in runs:
            house.wait_state(run, "aborted")
    plain_rss, plain_unique = _plain()
    return Report(
        (
            Row("memory: an idle agent, unique", unique / 1e6, plain_unique, "MB", 1),
            Row("memory: an idle agent, resident", resident / 1e6, plain_rss, "MB", 1, "≤ 60 MB"),
            Row("memory: its warm parent, unique", warm / 1e6, plain_unique, "MB", 1),
            Row(
                f"memory: each of {many} runners, unique",
                median(runners) / 1e6,
                plain_unique,
                "MB",
                many,
                "≤ 10 MB",
            ),
        )
    )


def _plain() -> tuple[float, float]:
    with subprocess.Popen(
        (sys.executable, "-c", PLAIN), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as python:
        assert python.stdout is not None
        python.stdout.readline()
        found = rss_bytes(python.pid) / 1e6, unique_bytes(python.pid) / 1e6
        python.kill()
    return found


def _agent_of(server: int) -> int:
    """The process that `tailrace up` has started beside itself."""
    return next(pid for pid in _processes() if b"\0agent\0" in _command(pid) and _parent(pid) == server)


def _warm_parent(folder: Path) -> int:
    mark = f"tailrace.runner.warm\0{folder / 'data' / 'agent'}".encode()
    return next(pid for pid in _processes() if mark in _command(pid))


def _processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2].split()[1])
