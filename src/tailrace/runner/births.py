"""Runners that begin their lives in a control group, and those groups when they have ended."""

from __future__ import annotations

import os

from tailrace.runner.cgroup import ControlGroups
from tailrace.runner.clone import fork_into
from tailrace.runner.leaf import BORN, Leaf


class Births:
    """Forks runners, each into a group of its own where this machine can do that, and removes the groups of those that ended."""

    def __init__(self, groups: ControlGroups) -> None:
        self._groups = groups
        self._living: dict[int, Leaf] = {}
        self._left: list[Leaf] = []

    def fork(self) -> tuple[int, Leaf | None]:
        """As `os.fork`, with the child in a group of its own, or in none: its attempts get theirs then. Raises OSError."""
        leaf = self._groups.birthplace(f"{BORN}{os.urandom(6).hex()}")
        if leaf is None:
            return os.fork(), None
        try:
            folder = os.open(leaf.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                pid = fork_into(folder)
            finally:
                os.close(folder)
        except OSError:
            leaf.remove(0)
            return os.fork(), None
        if pid:
            self._living[pid] = leaf
        return pid, leaf

    def ended(self, pid: int) -> None:
        """This process is no more: whatever is left in its group has nobody."""
        leaf = self._living.pop(pid, None)
        if leaf is not None:
            self._left.append(leaf)

    def remove(self) -> None:
        """Remove the groups of those that ended, after killing what is in them; one that dies slowly goes the next time."""
        for leaf in self._left.copy():
            if not leaf.remove(0):
                leaf.kill()
                if not leaf.remove(0):
                    continue
            self._left.remove(leaf)
