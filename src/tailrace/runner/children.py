"""The runner's child processes: its own, and orphans that it adopted."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Self

from tailrace.memory import in_memory, names_of
from tailrace.runner.account import Account
from tailrace.runner.group import NO_GROUP, Group
from tailrace.runner.terminal import control_terminal
from tailrace.steps.command import Command

_PIPE_BYTES = 4096  # what every pipe holds, whatever the system allows


class Child:
    """A process that leads a session and a process group of its own.

    `exited` gives its exit status, negative for the signal that killed it. `group` is its process group's id.
    """

    def __init__(self, pid: int, exited: asyncio.Future[int]) -> None:
        self.group = pid
        self.exited = exited

    def signal_group(self, number: signal.Signals) -> bool:
        """Send a signal to the whole group; False when nobody in it is left."""
        try:
            os.killpg(self.group, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def group_lives(self) -> bool:
        try:
            os.killpg(self.group, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


class Children:
    """Starts processes and reaps every child of this process, which must therefore be the attempt's own.

    They begin in `group`, and as `account` where that is given.
    """

    def __init__(self, group: Group = NO_GROUP, account: Account | None = None) -> None:
        self._group = group
        self._account = account
        self._loop = asyncio.get_running_loop()
        self._exits: dict[int, asyncio.Future[int]] = {}

    def __enter__(self) -> Self:
        self._loop.add_signal_handler(signal.SIGCHLD, self._reap)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.remove_signal_handler(signal.SIGCHLD)

    def start(self, command: Command, stdout: int, stderr: int) -> Child:
        """Start a process, with `stdout` as its terminal where it wants one.

        Raises OSError or ValueError when it cannot be started.
        """
        account = None if command.as_agent else self._account
        if account is not None:
            for pipe in (stdout, stderr):
                os.fchown(pipe, account.uid, account.gid)  # so that /dev/stdout can be opened
        owner = account.uid if account else None
        with _reading(command.told) as told, in_memory(command.held, owner) as held, self._group.starting():
            env = {**command.env, **names_of(held)}
            process = subprocess.Popen(
                command.argv,
                env=account.environment(env) if account else env,
                cwd=command.cwd,
                stdin=stdout if command.terminal else told,
                stdout=stdout,
                stderr=stderr,
                pass_fds=held,
                start_new_session=True,
                preexec_fn=self._before(command),
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=account.groups if account else None,
            )
        process.returncode = 0  # reaped here, not by Popen
        exited: asyncio.Future[int] = self._loop.create_future()
        self._exits[process.pid] = exited
        return Child(process.pid, exited)

    def _before(self, command: Command) -> Callable[[], None] | None:
        """What a new process does before it executes its program."""
        enter = self._group.entry
        if not command.terminal:
            return enter
        if enter is None:
            return control_terminal

        def both() -> None:
            enter()
            control_terminal()

        return both

    def any_left(self) -> bool:
        """Whether any child, adopted ones included, still runs."""
        self._reap()
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return False
        return True

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            exited = self._exits.pop(pid, None)
            if exited is not None:
                exited.set_result(os.waitstatus_to_exitcode(status))


@contextmanager
def _reading(told: bytes) -> Generator[int]:
    """A descriptor to read these bytes from, which a pipe must hold; raises ValueError for more."""
    if not told:
        yield subprocess.DEVNULL
        return
    if len(told) > _PIPE_BYTES:
        raise ValueError(f"{len(told)} bytes are too many to be read by a process; at most {_PIPE_BYTES}")
    reader, writer = os.pipe2(os.O_CLOEXEC)
    try:
        os.write(writer, told)
        os.close(writer)
        yield reader
    finally:
        os.close(reader)
