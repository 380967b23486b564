"""An attempt's processes: all that carry its cookie in their environment, and all that descend from its runner.

Either alone is not enough: a daemon may overwrite its environment, and a dead runner's orphans descend from somebody else.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tailrace.steps.environment import COOKIE

_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends (`PR_SET_CHILD_SUBREAPER`)."""
    if _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"prctl(PR_SET_CHILD_SUBREAPER): {os.strerror(error)}")


@dataclass(frozen=True)
class Family:
    """The processes of one attempt; `runner` is the process id of its living runner, None when it is dead."""

    cookie: str
    runner: int | None

    def members(self) -> list[int]:
        """The process ids of all that live now, without the runner and this process."""
        mark = f"{COOKIE}={self.cookie}".encode()
        parents: dict[int, int] = {}
        marked: set[int] = set()
        for pid, (state, parent) in _processes():
            if state in "ZX":
                continue
            parents[pid] = parent
            if mark in _environment(pid):
                marked.add(pid)
        found = {pid for pid in parents if pid in marked or self._descends(pid, parents)}
        return sorted(found - {self.runner, os.getpid()})

    def holders(self, files: set[str]) -> list[int]:
        """The members that have one of these open, named as in `/proc/PID/fd`: `pipe:[12]`, `/dev/pts/3`."""
        return [pid for pid in self.members() if files & _open_files(pid)]

    def kill(self) -> bool:
        """SIGKILL to all; False when nobody was left to kill."""
        members = self.members()
        for pid in members:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        return bool(members)

    async def end(self, patience_s: float = 5.0) -> list[int]:
        """Kill until nobody is left; returns who could not be killed in that time."""
        deadline = time.monotonic() + patience_s
        while self.kill() and time.monotonic() < deadline:  # noqa: ASYNC110 -- the kernel tells nobody
            await asyncio.sleep(0.005)
        return self.members() if time.monotonic() >= deadline else []

    def end_now(self, patience_s: float = 5.0) -> list[int]:
        """As `end`, where there is no loop."""
        deadline = time.monotonic() + patience_s
        while self.kill() and time.monotonic() < deadline:
            time.sleep(0.005)
        return self.members() if time.monotonic() >= deadline else []

    def _descends(self, pid: int, parents: dict[int, int]) -> bool:
        if self.runner is None:
            return False
        while pid in parents:
            pid = parents[pid]
            if pid == self.runner:
                return True
        return False


def _processes() -> Iterator[tuple[int, tuple[str, int]]]:
    """Each process id with its state's letter and its parent."""
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with suppress(OSError):
                # The name in brackets may hold anything, even brackets: fields are counted from the last one.
                fields = Path(entry.path, "stat").read_bytes().rpartition(b")")[2].split()
                yield int(entry.name), (fields[0].decode(), int(fields[1]))


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []  # gone, or another user's


def _open_files(pid: int) -> set[str]:
    found: set[str] = set()
    with suppress(OSError):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                found.add(str(Path(entry.path).readlink()))
    return found
