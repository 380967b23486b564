"""Executing one command: start, output, end; and ending it early, with all that it started."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from tailrace.domain.spans import Stream
from tailrace.runner.children import Child, Children
from tailrace.runner.family import Family
from tailrace.runner.output import Output, Pipe
from tailrace.runner.stop import Stop
from tailrace.runner.terminal import open_terminal
from tailrace.runner.trees import write_for_owner
from tailrace.steps.command import Command

LINGER_S = 1.0
"""How long processes that outlive their step may keep its output open."""
_CLOSE_S = 0.5
_POLL_S = 0.02


@dataclass(frozen=True)
class Ended:
    """How a command ended: `status` is its exit code, negative for a signal, None when it was still alive after everything.

    `stopped`: it was ended early, because the attempt's steps must end; `overdue`: because its own time was over. `said` is the
    end of its output, stderr after stdout.
    """

    status: int | None
    stopped: bool
    overdue: bool
    said: bytes


class _End:
    """What ends one command early: the attempt's stop, or its own time."""

    def __init__(self, stop: Stop, timeout_s: float | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeout_s = timeout_s
        self.asked = stop.asked
        self.overdue: asyncio.Future[None] = self._loop.create_future()
        self._timer = None if timeout_s is None else self._loop.call_later(timeout_s, self._time_out)

    @property
    def due(self) -> bool:
        return self.asked.done() or self.overdue.done()

    @property
    def why(self) -> str:
        if self.asked.done():
            return self.asked.result().detail or "stopping"
        return f"the step ran longer than its timeout of {self._timeout_s:g} s"

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _time_out(self) -> None:
        self.overdue.set_result(None)


class Executor:
    """Executes the commands of one attempt, one after the other."""

    def __init__(
        self,
        output: Output,
        children: Children,
        family: Family,
        stop: Stop,
        grace_s: float,
        idle_s: float | None = None,
    ) -> None:
        self._output = output
        self._children = children
        self._family = family
        self._stop = stop
        self._grace_s = grace_s
        self._idle_s = idle_s

    def is_stopped(self) -> bool:
        """Whether somebody asked for the attempt's end: nothing more will be started."""
        return self._stop.asked.done()

    async def run(
        self,
        command: Command,
        step: int,
        stdout: Stream = Stream.STDOUT,
        stderr: Stream = Stream.STDERR,
        timeout_s: float | None = None,
    ) -> Ended:
        """Execute it to its end, or for `timeout_s`; raises OSError or ValueError when it cannot be started."""
        for path, content in command.files:
            write_for_owner(path, content)
        pipes = _pipes(command, self._output, step, stdout, stderr)
        end = _End(self._stop, timeout_s)
        try:
            child = self._children.start(command, pipes[0].writer, pipes[-1].writer)
            for pipe in pipes:
                pipe.hand_over()
            with self._listening():
                await _first(child.exited, end.asked, end.overdue)
                if not end.due:
                    await self._drain(child, pipes, step, end)
            if end.due:
                await self._end(child, pipes, step, end)
            status = child.exited.result() if child.exited.done() else None
            stopped = end.asked.done()
            return Ended(status, stopped, end.due and not stopped, b"".join(pipe.tail for pipe in pipes))
        finally:
            end.close()
            for pipe in pipes:
                pipe.close()

    @contextmanager
    def _listening(self) -> Generator[None, None, None]:
        """Whoever prints nothing for too long is not waited for."""
        idle_s = self._idle_s
        if idle_s is None:
            yield
            return
        loop, output = asyncio.get_running_loop(), self._output
        began = loop.time()

        def listen() -> None:
            nonlocal timer
            if output.full:  # it could not be heard
                timer = loop.call_later(idle_s, listen)
                return
            left_s = max(output.heard_at, began) + idle_s - loop.time()
            if left_s > 0:
                timer = loop.call_later(left_s, listen)
            else:
                self._stop.fall_silent(idle_s)

        timer = loop.call_later(idle_s, listen)
        try:
            yield
        finally:
            timer.cancel()

    async def _drain(self, child: Child, pipes: tuple[Pipe, ...], step: int, end: _End) -> None:
        """Read to the end of the output; whoever keeps it open after the command itself has ended is killed after a while."""
        closed = asyncio.gather(*(pipe.ended for pipe in pipes))
        await _first(closed, end.asked, end.overdue, within_s=LINGER_S)
        while self._output.full and not end.due:  # the disk keeps it open, not a process
            await _first(closed, end.asked, end.overdue, within_s=LINGER_S)
        if closed.done() or end.due:
            return
        killed = child.signal_group(signal.SIGKILL)
        await _first(closed, within_s=_CLOSE_S)
        if not closed.done():
            files = {pipe.file for pipe in pipes if not pipe.ended.done()}
            for pid in self._family.holders(files):
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

    async def _end(self, child: Child, pipes: tuple[Pipe, ...], step: int, end: _End) -> None:
        """SIGTERM to the command's group, the grace, SIGKILL to the group and to every process of the attempt."""
        self._output.say(step, f"{end.why}; ending the step's processes")
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


def _pipes(command: Command, output: Output, step: int, stdout: Stream, stderr: Stream) -> tuple[Pipe, ...]:
    if command.terminal:
        return (Pipe(output, stdout, step, open_terminal()),)
    return (Pipe(output, stdout, step), Pipe(output, stderr, step))


async def _first(*awaited: asyncio.Future[Any], within_s: float | None = None) -> None:
    """Wait until one of these is done, or the time (s) is over; cancels none."""
    await asyncio.wait(awaited, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
