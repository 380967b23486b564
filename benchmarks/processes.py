"""What other processes cost: processor time, memory, and the processors that they may use."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


def cpu_s(pid: int) -> float:
    """Processor seconds that all threads of the process have used, user and system; by the process's own clock, in ns steps."""
    return (
        time.clock_gettime_ns((~pid << 3) | 2) / 1e9
    )  # how Linux numbers the clocks of processes: clock_getcpuclockid(3)


def rss_bytes(pid: int) -> int:
    """Resident memory now."""
    return _status(pid, "VmRSS")


def peak_rss_bytes(pid: int) -> int:
    """The most that it was since the process began."""
    return _status(pid, "VmHWM")


def unique_bytes(pid: int) -> int:
    """Memory that no other process shares: what would be free if it ended. Of another user's process, or of one that hides its
    memory, only root may know; raises PermissionError."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))


def has_ended(pid: int) -> bool:
    """Whether it is gone, or only its parent has not heard yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1] in (b"Z", b"X")
    except OSError:
        return True


def _status(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(f"process {pid} has no {name}: it has ended")


def cores() -> tuple[set[int], set[int]]:
    """A processor for the server, and the others for all else; both the same one where there is only one."""
    usable = sorted(os.sched_getaffinity(0))
    return {usable[0]}, set(usable[1:]) or {usable[0]}


@contextmanager
def pinned(processors: set[int]) -> Generator[None]:
    """Processes that are started within it, and their threads, stay on these processors."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def allow_open_files(wanted: int) -> int:
    """Raise this process's limit of open files, which what it starts inherits; how many may be open then, at most `wanted`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else min(soft, wanted)
