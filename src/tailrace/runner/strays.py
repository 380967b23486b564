"""Processes of attempts that an agent holds no more: nobody else would ever end them."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

_MARKS = (b"TAILRACE_OUTPUT", b"TAILRACE_WORKSPACE")


def end_strays(attempts: Path) -> list[int]:
    """SIGKILL to every process whose attempt's folder in `attempts` is gone; returns their ids.

    The paths in its environment tell which folder that is: that of its outputs, also where it works in a workspace that is kept.
    """
    ended: list[int] = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        with suppress(OSError), _held(int(entry.name)) as process:  # gone, or another user's
            folder = _folder_of(Path(entry.path, "environ").read_bytes(), attempts)
            if folder is not None and not folder.exists():
                signal.pidfd_send_signal(process, signal.SIGKILL)
                ended.append(int(entry.name))
    return ended


@contextmanager
def _held(pid: int) -> Generator[int]:
    """A descriptor of the process, so that what is looked at is what is killed."""
    process = os.pidfd_open(pid)
    try:
        yield process
    finally:
        os.close(process)


def _folder_of(environment: bytes, attempts: Path) -> Path | None:
    for variable in environment.split(b"\0"):
        name, _, value = variable.partition(b"=")
        path = Path(os.fsdecode(value))
        if name in _MARKS and attempts in path.parents:
            return attempts / path.relative_to(attempts).parts[0]
    return None
