"""An attempt's processes: all in its control group, all that carry its cookie, and all that descend from its runner.

None alone is enough: not every machine has control groups, a daemon may overwrite its environment, and a dead runner's orphans
descend from somebody else. A process carries the cookie in its environment, or, as an orphan, works in the attempt's folder, whose
name has it, or in the kept workspace that the attempt had.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tailrace.runner.group import NO_GROUP, Group
from tailrace.steps.environment import COOKIE


@dataclass(frozen=True)
class Family:
    """The processes of one attempt; `runner` is the process id of its living runner, None when it is dead.

    `user` is the id of the user that the attempt has to itself, None where it shares one with others. `kept` is the workspace that
    it works in, where that is not in its folder, as the kernel names it (without links).
    """

    cookie: str
    runner: int | None
    group: Group = NO_GROUP
    user: int | None = None
    kept: Path | None = None

    def members(self) -> list[int]:
        """The process ids of all that live now, without the runner and this process."""
        mark = f"{COOKIE}={self.cookie}".encode()
        parents: dict[int, int] = {}
        marked = self.group.members()
        for pid, (state, parent) in _processes():
            if state in "ZX":
                continue
            parents[pid] = parent
            if mark in _environment(pid) or self._works_alone(pid, parent) or self._owns(pid):
                marked.add(pid)
        found = {pid for pid in parents if pid in marked or self._descends(pid, parents)}
        return sorted(found - {self.runner, os.getpid()})

    def holders(self, files: set[str]) -> list[int]:
        """The members that have one of these open, named as in `/proc/PID/fd`: `pipe:[12]`, `/dev/pts/3`."""
        return [pid for pid in self.members() if files & _open_files(pid)]

    def kill(self) -> bool:
        """SIGKILL to all; False when nobody was left to kill."""
        self.group.kill()
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

    def _works_alone(self, pid: int, parent: int) -> bool:
        """Whether it works in a dead runner's folder and nobody is its parent: no person's shell."""
        if self.runner is not None or parent != 1:
            return False
        folder = _folder(pid)
        if self.kept is not None and Path(folder).is_relative_to(self.kept):
            return True
        return bool(self.cookie) and f"-{self.cookie}" in folder

    def _owns(self, pid: int) -> bool:
        if self.user is None:
            return False
        try:
            return Path(f"/proc/{pid}").stat().st_uid == self.user
        except OSError:
            return False

    def _descends(self, pid: int, parents: dict[int, int]) -> bool:
        if self.runner is None:
            return False
        while pid in parents:
            pid = parents[pid]
            if pid == self.runner:
                return True
        return False


def children_of(parent: int) -> set[int]:
    """The process ids of its children."""
    with suppress(OSError):  # a kernel may come without this file, but not without the others
        return set(
            map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii").split())
        )
    return {pid for pid, (state, of) in _processes() if of == parent and state not in "ZX"}


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


def _folder(pid: int) -> str:
    """Where it works."""
    try:
        return str(Path(f"/proc/{pid}/cwd").readlink())
    except OSError:
        return ""


def _open_files(pid: int) -> set[str]:
    found: set[str] = set()
    with suppress(OSError):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                found.add(str(Path(entry.path).readlink()))
    return found
