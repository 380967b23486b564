"""Executing one command: start, output, end; and ending it early, with all that it started."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tailrace.domain.spans import Stream
from tailrace.runner.children import Child, Children
from tailrace.runner.family import Family
from tailrace.runner.output import Output, Pipe
from tailrace.runner.stop import Stop
from tailrace.steps.command import Command

LINGER_S = 1.0
"""How long processes that outlive their step may keep its output open."""
_CLOSE_S = 0.5
_POLL_S = 0.02


@dataclass(frozen=True)
class Ended:
    """How a command ended: `status` is its exit code, negative for a signal, None when it was still alive after everything.

    `stopped`: it was ended early. `said` is the end of its output, stderr after stdout.
    """

    status: int | None
    stopped: bool
    said: bytes


class Executor:
    """Executes the commands of one attempt, one after the other."""

    def __init__(
        self, output: Output, children: Children, family: Family, stop: Stop, grace_s: float
    ) -> None:
        self._output = output
        self._children = children
        self._family = family
        self._stop = stop
        self._grace_s = grace_s

    def is_stopped(self) -> bool:
        """Whether somebody asked for the attempt's end: nothing more will be started."""
        return self._stop.asked.done()

    async def run(
        self,
        command: Command,
        step: int,
        stdout: Stream = Stream.STDOUT,
        stderr: Stream = Stream.STDERR,
    ) -> Ended:
        """Execute it to its end; raises OSError or ValueError when it cannot be started."""
        for path, content in command.files:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(content)
        pipes = (Pipe(self._output, stdout, step), Pipe(self._output, stderr, step))
        try:
            child = self._children.start(command, pipes[0].writer, pipes[1].writer)
            for pipe in pipes:
                pipe.hand_over()
            await _first(child.exited, self._stop.asked)
            if not self._stop.asked.done():
                await self._drain(child, pipes, step)
            stopped = self._stop.asked.done()
            if stopped:
                await self._end(child, pipes, step)
            status = child.exited.result() if child.exited.done() else None
            return Ended(status, stopped, pipes[0].tail + pipes[1].tail)
        finally:
            for pipe in pipes:
                pipe.close()

    async def _drain(self, child: Child, pipes: tuple[Pipe, ...], step: int) -> None:
        """Read to the end of the output; whoever keeps it open after the command itself has ended is killed after a while."""
        closed = asyncio.gather(*(pipe.ended for pipe in pipes))
        await _first(closed, self._stop.asked, within_s=LINGER_S)
        while self._output.full and not self._stop.asked.done():  # the disk keeps it open, not a process
            await _first(closed, self._stop.asked, within_s=LINGER_S)
        if closed.done() or self._stop.asked.done():
            return
        killed = child.signal_group(signal.SIGKILL)
        await _first(closed, within_s=_CLOSE_S)
        if not closed.done():
            inodes = {pipe.inode for pipe in pipes if not pipe.ended.done()}
            for pid in self._family.holders(inodes):
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
                    killed = True
            await _first(closed, within_s=_CLOSE_S)
        if killed:
            self._output.say(step, "processes in the background kept the step's output open and were killed")
        if not closed.done():
            self._output.say(
                step, "a process that cannot be killed keeps the step's output open: not read on"
            )

    async def _end(self, child: Child, pipes: tuple[Pipe, ...], step: int) -> None:
        """SIGTERM to the command's group, the grace, SIGKILL to the group and to every process of the attempt."""
        outcome = self._stop.outcome
        self._output.say(step, f"{outcome.detail if outcome else 'stopping'}; ending the step's processes")
        if child.signal_group(signal.SIGTERM):
            child.signal_group(signal.SIGCONT)  # a suspended process could not heed it
        grace_s = self._stop.grace_s(self._grace_s)
        if not await self._group_ends(child, grace_s):
            self._output.say(step, f"still running {grace_s:g} s after SIGTERM: killed")
            child.signal_group(signal.SIGKILL)
        await self._family.end()
        await _first(asyncio.gather(child.exited, *(pipe.ended for pipe in pipes)), within_s=_CLOSE_S)

    async def _group_ends(self, child: Child, within_s: float) -> bool:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within_s
        await _first(child.exited, within_s=within_s)
        while child.group_lives():
            if loop.time() >= deadline:
                return False
            await asyncio.sleep(_POLL_S)
        return True


async def _first(*awaited: asyncio.Future[Any], within_s: float | None = None) -> None:
    """Wait until one of these is done, or the time (s) is over; cancels none."""
    await asyncio.wait(awaited, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
