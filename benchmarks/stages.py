"""Servers on a processor of their own, with a log that is watched: ours, fed by a job, and those that others would build."""

from __future__ import annotations

import asyncio
import shlex
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.crowd.__main__ import Wish
from benchmarks.processes import cores, pinned
from tests.support.house import ADMIN_TOKEN, House, Process
from tests.support.waiting import wait_for

CHECKOUT = Path(__file__).parents[1]
INTERVAL_MS = 200
CHUNK_BYTES = 1500


@dataclass(frozen=True)
class Script:
    """What happens on a stage: `chunks` are written while `watchers` watch in this form (sse, live)."""

    form: str
    watchers: int
    chunks: int


@dataclass(frozen=True)
class Stage:
    """A server whose log grows once the file `go` is there; `wish` says how it is watched."""

    pid: int
    go: Path
    wish: Wish


@asynccontextmanager
async def ours(folder: Path, script: Script) -> AsyncGenerator[Stage]:
    """A new Tailrace; a job writes, and its agent sends."""
    go = folder / "go"
    with House(folder) as house:
        server = start_apart(house)
        run = begin_run(house, shlex.join(writer(script.chunks, go)))
        yield Stage(server.pid, go, wish_for(house.port, script, log_of(house, run)))
        house.wait_log(run)


@asynccontextmanager
async def baseline(folder: Path, name: str, script: Script) -> AsyncGenerator[Stage]:
    """A server of `benchmarks.baselines` that makes the chunks itself."""
    go = folder / "go"
    feed = ("--go", str(go), "--chunks", str(script.chunks))
    pace = ("--interval-ms", str(INTERVAL_MS), "--size", str(CHUNK_BYTES))
    async with serving(name, script.form, *feed, *pace) as (pid, port):
        yield Stage(pid, go, _bare_wish(port, script))


@asynccontextmanager
async def fed_by_process(folder: Path, name: str, script: Script) -> AsyncGenerator[Stage]:
    """The same server at the end of a pipe from the process that writes in our job."""
    go = folder / "go"
    with pinned(cores()[1]):
        process = subprocess.Popen(writer(script.chunks, go), stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with serving(name, script.form, stdin=process.stdout.fileno()) as (pid, port):
            yield Stage(pid, go, _bare_wish(port, script))
    finally:
        process.stdout.close()
        process.kill()
        process.wait()


def start_apart(house: House) -> Process:
    """The server on its processor, its agent on the others; the server's process."""
    for_server, for_others = cores()
    with pinned(for_server):
        server = house.server()
    with pinned(for_others):
        house.agent()
    house.wait_agent()
    return server


def begin_run(house: House, command: str) -> int:
    """Run a job with one command; the run."""
    return house.run(house.script_plan(command))


def log_of(house: House, run: int) -> int:
    """The log of its job, as soon as there is one."""
    attempts = wait_for(lambda: house.show(run)["jobs"][0]["attempts"], f"run {run} to have an attempt")
    return attempts[-1]["log"]


def wish_for(port: int, script: Script, log: int) -> Wish:
    """How a log of ours is watched."""
    path = f"/api/logs/{log}/stream?from=0" if script.form == "sse" else "/api/live"
    return Wish(port, script.watchers, script.form, path, f"log/{log}", ADMIN_TOKEN, script.chunks)


def writer(chunks: int, go: Path) -> tuple[str, ...]:
    """The command that writes the chunks."""
    numbers = (chunks, 0, INTERVAL_MS, INTERVAL_MS)
    path = str(CHECKOUT / "benchmarks" / "writer.py")
    return (sys.executable, path, *map(str, numbers), str(go), str(CHUNK_BYTES))


@asynccontextmanager
async def serving(name: str, *arguments: str, stdin: int | None = None) -> AsyncGenerator[tuple[int, int]]:
    """A server of `benchmarks.baselines` on the servers' processor; its process and port."""
    with pinned(cores()[0]):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", f"benchmarks.baselines.{name}", *arguments),
            cwd=CHECKOUT,
            stdin=stdin,
            stdout=PIPE,
        )
    try:
        assert process.stdout is not None
        line = await process.stdout.readline()
        if not line:
            raise RuntimeError(f"the baseline {name} ended with {await process.wait()}")
        yield process.pid, int(line)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _bare_wish(port: int, script: Script) -> Wish:
    return Wish(port, script.watchers, script.form, "/stream", "log/1", "none", script.chunks)
