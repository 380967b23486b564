"""Running a program for its answer: in its own process group, with nothing left of it afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_GRACE = 2.0  # seconds in which a program may remove its lock files before it is killed


@dataclass(frozen=True)
class Answer:
    """What a program wrote, and how it ended."""

    status: int
    output: bytes
    complaint: str


class ProgramMissing(Exception):
    """There is no such program to run; says what to do."""


async def run_program(
    *command: str, folder: Path, env: Mapping[str, str], seconds: float, told: bytes | None = None
) -> Answer:
    """Run a program in a folder; `told` is what it reads.

    Its process group is killed on cancellation and after so many seconds. Raises TimeoutError, and ProgramMissing.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env=env,
            stdin=DEVNULL if told is None else PIPE,
            stdout=PIPE,
            stderr=PIPE,
            start_new_session=True,
        )
    except FileNotFoundError as missing:
        if not folder.is_dir():
            raise
        raise ProgramMissing(f"there is no {command[0]} on this machine's PATH") from missing
    try:
        async with asyncio.timeout(seconds):
            output, complaint = await process.communicate(told)
    except BaseException:
        await _end(process)
        raise
    assert process.returncode is not None
    return Answer(process.returncode, output, complaint.decode(errors="replace"))


async def _end(process: Process) -> None:
    """End the process and all it started: a polite word, a moment, then the hard way."""
    try:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_GRACE):
                    await process.wait()
    except ProcessLookupError:
        pass
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):  # a process that left the group may still hold our pipes
        async with asyncio.timeout(_GRACE):
            await process.wait()
