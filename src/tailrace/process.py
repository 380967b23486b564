"""Running a program for its answer: in its own process group, with nothing left of it afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tailrace.memory import in_memory, names_of

_BLOCK = 65536  # bytes
_GRACE = 2.0  # seconds in which a program may remove its lock files before it is killed


@dataclass(frozen=True)
class Answer:
    """What a program wrote, and how it ended."""

    status: int
    output: bytes
    complaint: str


class ProgramMissing(Exception):
    """There is no such program to run; says what to do."""


class OutputTooLong(Exception):
    """A program wrote more than it may."""


async def run_program(
    *command: str,
    folder: Path,
    env: Mapping[str, str],
    seconds: float,
    told: bytes | None = None,
    most_bytes: int | None = None,
    held: Sequence[bytes] = (),
) -> Answer:
    """Run a program in a folder; `told` is what it reads, `most_bytes` what it may write, of output and of complaints,
    `held` what it finds in memory (`tailrace.memory`).

    Its process group is killed on cancellation, after so many seconds, and when it writes more. Raises TimeoutError,
    OutputTooLong, and ProgramMissing.
    """
    try:
        with in_memory(held) as fds:
            process = await asyncio.create_subprocess_exec(
                *command,
                cwd=folder,
                env={**env, **names_of(fds)},
                stdin=DEVNULL if told is None else PIPE,
                stdout=PIPE,
                stderr=PIPE,
                pass_fds=fds,
                start_new_session=True,
            )
    except FileNotFoundError as missing:
        if not folder.is_dir():
            raise
        raise ProgramMissing(f"there is no {command[0]} on this machine's PATH") from missing
    try:
        async with asyncio.timeout(seconds):
            if most_bytes is None:
                output, complaint = await process.communicate(told)
            else:
                output, complaint = await _communicate(process, told, most_bytes)
    except BaseException:
        await _end(process)
        raise
    assert process.returncode is not None
    return Answer(process.returncode, output, complaint.decode(errors="replace"))


async def _communicate(process: Process, told: bytes | None, most: int) -> tuple[bytes, bytes]:
    assert process.stdout is not None
    assert process.stderr is not None
    telling = asyncio.create_task(_tell(process, told))
    reading = [asyncio.create_task(_read(pipe, most)) for pipe in (process.stdout, process.stderr)]
    try:
        output, complaint = await asyncio.gather(*reading)
        await telling
        await process.wait()
    finally:
        for task in (telling, *reading):
            task.cancel()
        await asyncio.gather(telling, *reading, return_exceptions=True)
    return output, complaint


async def _read(stream: asyncio.StreamReader, most: int) -> bytes:
    found = bytearray()
    while block := await stream.read(_BLOCK):
        found += block
        if len(found) > most:
            raise OutputTooLong(f"it wrote more than {most} bytes")
    return bytes(found)


async def _tell(process: Process, told: bytes | None) -> None:
    if process.stdin is None:
        return
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it ended before it had read all
        process.stdin.write(told or b"")
        await process.stdin.drain()
    process.stdin.close()


async def _end(process: Process) -> None:
    """End the process and all it started: a polite word, a moment, then the hard way."""
    try:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGTERM)
            await _leave(process)
    except ProcessLookupError:
        pass
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    await _leave(process)


async def _leave(process: Process) -> None:
    """Until it is gone, or for a moment: one that left the group may still hold our pipes."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_GRACE):
            for pipe in (process.stdout, process.stderr):
                while pipe is not None and await pipe.read(_BLOCK):
                    pass  # a process that has ended counts as running while its output waits to be read
            await process.wait()
