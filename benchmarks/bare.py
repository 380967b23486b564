"""The same work without Tailrace: the same commands, started by asyncio in folders of their own."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from asyncio.subprocess import PIPE
from pathlib import Path

from tailrace.domain.plan import RunStep
from tailrace.steps.checkout import git_environment
from tailrace.steps.command import Command, Place
from tailrace.steps.script import run_script

SHELL = "/bin/bash"


async def carry_all(folder: Path, count: int, at_once: int, source: tuple[str, str] | None) -> float:
    """Do the job `count` times, so many at once; the seconds that it took.

    `source`: repository and revision to check out first.
    """
    room = asyncio.Semaphore(at_once)

    async def carry_one() -> None:
        async with room:
            await _carry(folder, source)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(carry_one())
    return time.perf_counter() - began


async def _carry(folder: Path, source: tuple[str, str] | None) -> None:
    home = Path(tempfile.mkdtemp(dir=folder))
    place = Place(home / "workspace", home / "tmp")
    place.workspace.mkdir()
    place.tmp.mkdir()
    if source is not None:
        for words in _checkout(*source):
            await execute(Command(("git", *words), git_environment(os.environ, "bench"), place.workspace))
    await execute(run_script(RunStep(name="true", run="true"), 0, place, dict(os.environ), SHELL))
    shutil.rmtree(home)


def _checkout(repository: str, revision: str) -> tuple[tuple[str, ...], ...]:
    """What systems without a mirror do for each job: fetch the one commit, and put its files there."""
    return (
        ("init", "--quiet", "--template="),
        ("remote", "add", "origin", repository),
        ("-c", "gc.auto=0", "fetch", "--quiet", "--depth=1", "--no-tags", "origin", revision),
        ("-c", "advice.detachedHead=false", "checkout", "--quiet", "--detach", "FETCH_HEAD", "--"),
    )


async def execute(command: Command) -> None:
    """Run it to its end and read its output; raises RuntimeError when it fails."""
    for path, content in command.files:
        path.write_bytes(content)
    process = await asyncio.create_subprocess_exec(
        *command.argv,
        env=dict(command.env),
        cwd=command.cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        start_new_session=True,
    )
    _, errors = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(
            f"{command.argv[0]} ended with {process.returncode}: {errors.decode(errors='replace')}"
        )
