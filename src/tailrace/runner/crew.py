"""The runners of a warm parent: those that carry an attempt, and idle ones that wait for the next."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import time
from contextlib import suppress
from enum import Enum
from typing import NamedTuple

from tailrace.runner.births import Births
from tailrace.runner.leaf import Leaf
from tailrace.runner.task import FREE, TAKEN, Task, line, send_task

IDLE_S = 10.0
"""How long a runner waits for another attempt; it keeps some MB meanwhile."""
MOST_CARRIED = 100
"""Attempts of one runner: what it may have gathered goes with it."""


class Forked(NamedTuple):
    """What a forked child is: `leaf` is the control group in which it began, None where it has none yet."""

    task: Task
    line: socket.socket
    leaf: Leaf | None


class _State(Enum):
    BUSY = "busy"
    IDLE = "idle"
    DISMISSED = "dismissed"


class _Runner:
    def __init__(self, pid: int, line: socket.socket) -> None:
        self.pid = pid
        self.line = line
        self.state = _State.BUSY
        self.carried = 1
        self.since = time.monotonic()
        self.given: Task | None = None  # and not taken yet


class Crew:
    """Has tasks carried, by idle runners or by new ones. The lines to them are in `selector`, with this as their data."""

    def __init__(self, births: Births, selector: selectors.BaseSelector) -> None:
        self._births = births
        self._selector = selector
        self._runners: dict[int, _Runner] = {}  # by process id, until they are reaped
        self._lost: list[Task] = []
        self._keeps = True

    @property
    def busy(self) -> int:
        """How many carry an attempt."""
        return len(self._in(_State.BUSY))

    @property
    def pids(self) -> set[int]:
        """All that have not been reaped yet."""
        return set(self._runners)

    def carry(self, task: Task) -> int | Forked:
        """The process id of the runner that carries it; or, in a forked child: what it is. Raises OSError.

        The task's lock and pipe are the crew's from now on; a forked child has its own.
        """
        # Who became free last goes first: the others shall be dismissed.
        for runner in sorted(self._in(_State.IDLE), key=lambda one: -one.since):
            try:
                send_task(runner.line, task)
            except OSError:
                self._dismiss(runner)
                continue
            runner.state, runner.given = _State.BUSY, task
            runner.carried += 1
            return runner.pid
        return self._fork(task)

    def carry_lost(self) -> Forked | None:
        """Fork for tasks that were given to a runner that died before it took them; in a forked child: what it is."""
        while self._lost:
            with suppress(OSError):  # whoever looks after the attempt finds its lock free
                carried = self._fork(self._lost.pop())
                if isinstance(carried, Forked):
                    return carried
        return None

    def hear(self, fd: int) -> None:
        """The runner with this line is free, or it is ending."""
        runner = next((one for one in self._runners.values() if one.line.fileno() == fd), None)
        if runner is None:
            return  # dismissed in this very round
        said = _said(runner.line)
        if said is None:
            return  # it was another's, whose line had this number
        if said == TAKEN:
            self._taken(runner)
        elif said == FREE:
            runner.state, runner.since = _State.IDLE, time.monotonic()
            if not self._keeps or runner.carried >= MOST_CARRIED:
                self._dismiss(runner)
        else:
            self._hang_up(runner)  # busy until it is reaped

    def dismiss_idle(self) -> float | None:
        """Let those go that have waited for too long; in how many seconds the next will have, None where nobody waits."""
        idle, now = self._in(_State.IDLE), time.monotonic()
        for runner in idle:
            if now - runner.since >= IDLE_S:
                self._dismiss(runner)
        waiting = [IDLE_S - (now - runner.since) for runner in idle if runner.state is _State.IDLE]
        return min(waiting, default=None)

    def keep_nobody(self) -> None:
        """From now on nobody waits for another task."""
        self._keeps = False
        for runner in self._in(_State.IDLE):
            self._dismiss(runner)

    def abort(self) -> None:
        """Let those that carry an attempt record its end."""
        for runner in self._in(_State.BUSY):  # reaped by nobody else: the ids are still theirs
            with suppress(ProcessLookupError):
                os.kill(runner.pid, signal.SIGTERM)

    def ended(self, pid: int) -> None:
        """This process is no more."""
        runner = self._runners.pop(pid, None)
        if runner is not None:
            self._hang_up(runner)
        self._births.ended(pid)

    def close(self) -> None:
        """Close the lines: whoever waits is dismissed."""
        for runner in self._runners.values():
            self._hang_up(runner)

    def remove_groups(self) -> None:
        """Remove the control groups of those that ended."""
        self._births.remove()

    def _fork(self, task: Task) -> int | Forked:
        ours, theirs = line()
        try:
            pid, leaf = self._births.fork()
        except OSError:
            ours.close()
            theirs.close()
            task.let_go()
            raise
        if pid == 0:
            ours.close()
            for other in self._runners.values():
                other.line.close()
                self._taken(other)  # by the parent: a lock ends when the last who shares it has closed it
            for lost in self._lost:
                lost.let_go()
            return Forked(task, theirs, leaf)
        theirs.close()
        task.let_go()
        self._runners[pid] = _Runner(pid, ours)
        self._selector.register(ours, selectors.EVENT_READ, self)
        return pid

    def _in(self, state: _State) -> list[_Runner]:
        return [runner for runner in self._runners.values() if runner.state is state]

    def _dismiss(self, runner: _Runner) -> None:
        runner.state = _State.DISMISSED
        self._hang_up(runner)

    def _taken(self, runner: _Runner) -> None:
        if runner.given is not None:
            runner.given.let_go()
            runner.given = None

    def _hang_up(self, runner: _Runner) -> None:
        if runner.line.fileno() < 0:
            return
        while words := _said(runner.line):  # it may have taken its task and died since
            if words == TAKEN:
                self._taken(runner)
        if runner.given is not None:
            self._lost.append(runner.given)
            runner.given = None
        self._selector.unregister(runner.line)
        runner.line.close()


def _said(line: socket.socket) -> bytes | None:
    """The next word from a runner: empty when it is gone, None when it has said nothing more."""
    try:
        return line.recv(16)
    except BlockingIOError:
        return None
    except OSError:
        return b""
