"""One group of one hierarchy: who is in it, ending them all, its limits, and what happened at those."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

REMOVE_PATIENCE_S = 5.0
"""A group can be removed when its processes are gone, a moment after SIGKILL, or later on a busy machine."""
PERIOD_US = 100_000
BORN = "runner-"
"""Groups in which runners are born have names that begin so; those of one attempt have the name of its folder."""
_NO_LIMIT = 1 << 62  # version 1 has no word for it
_READ_BACK = {
    "memory": (("memory.max",), ("memory.limit_in_bytes",)),
    "pids": (("pids.max",), ("pids.max",)),
    "cpu": (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")),
}


@dataclass(frozen=True)
class Leaf:
    """An attempt's group in one hierarchy; `home` is where its runner is."""

    path: Path
    home: Path

    def members(self) -> list[int]:
        """The process ids of all in it and below it."""
        found: list[int] = []
        for folder, _, _ in os.walk(self.path):
            with suppress(OSError):
                found += map(int, Path(folder, "cgroup.procs").read_text(encoding="ascii").split())
        return [pid for pid in found if pid]  # 0 stands for one that this container cannot see

    def kill(self) -> None:
        """SIGKILL to all of them, but never to this process."""
        members = self.members()
        if os.getpid() not in members:
            with suppress(OSError):
                (self.path / "cgroup.kill").write_text("1")
                return
        for pid in members:
            if pid != os.getpid():
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)

    def remove(self, patience_s: float = REMOVE_PATIENCE_S) -> bool:
        """Remove it with what a job made below it; False when something in it lives on."""
        deadline = time.monotonic() + patience_s
        while True:
            for folder, _, _ in os.walk(self.path, topdown=False):
                with suppress(OSError):
                    Path(folder).rmdir()
            if not self.path.exists():
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.002)

    def limit(self, controller: str, value: float, version: int) -> None:
        """Set a limit: bytes of memory, a number of processes, processors; raises OSError when the kernel does not take it."""
        match controller, version:
            case "memory", 2:
                self._write("memory.max", int(value))
                self._write("memory.swap.max", 0, must=False)
            case "memory", _:
                self._write("memory.limit_in_bytes", int(value))
                self._write("memory.memsw.limit_in_bytes", int(value), must=False)
            case "pids", _:
                self._write("pids.max", int(value))
            case "cpu", 2:
                self._write("cpu.max", f"{round(value * PERIOD_US)} {PERIOD_US}")
            case _:
                self._write("cpu.cfs_period_us", PERIOD_US)
                self._write("cpu.cfs_quota_us", round(value * PERIOD_US))

    def limited(self, controller: str, version: int) -> float | None:
        """The limit that holds, as the kernel reads it back; None where there is none."""
        words: list[str] = []
        for name in _READ_BACK[controller][0 if version == 2 else 1]:
            with suppress(OSError):
                words += (self.path / name).read_text(encoding="ascii").split()
        if not words or words[0] in ("max", "-1"):
            return None
        value = int(words[0])
        if controller == "cpu":
            return value / int(words[1])
        return None if value >= _NO_LIMIT else value

    def count(self, file: str, word: str | None = None) -> int:
        """A counter: the number after `word` in a file, or the only one."""
        with suppress(OSError, ValueError):
            for line in (self.path / file).read_text(encoding="ascii").splitlines():
                name, _, number = line.rpartition(" ")
                if name == (word or ""):
                    return int(number)
        return 0

    def most_memory(self) -> int:
        """The most bytes of memory that it has ever had, 0 where nobody counts."""
        if self.count("memory.events", "max"):
            return self.count("memory.max")
        return max(self.count("memory.peak"), self.count("memory.max_usage_in_bytes"))

    def _write(self, name: str, value: object, must: bool = True) -> None:
        try:
            (self.path / name).write_text(str(value), encoding="ascii")
        except OSError:
            if must:
                raise


def folders_in(path: Path) -> list[Path]:
    """The groups directly below one; none when it is gone."""
    try:
        with os.scandir(path) as entries:
            return [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
