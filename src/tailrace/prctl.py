"""What Linux lets a process ask for itself: prctl(2)."""

from __future__ import annotations

import ctypes
import os
import signal

_PDEATHSIG = 1
_DUMPABLE = 4
_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    _prctl("PR_SET_CHILD_SUBREAPER", _CHILD_SUBREAPER, 1)


def die_with_parent(number: signal.Signals) -> None:
    """Get this signal when the parent dies, at once when it is dead already."""
    parent = os.getppid()
    _prctl("PR_SET_PDEATHSIG", _PDEATHSIG, int(number))
    if os.getppid() != parent:
        os.kill(os.getpid(), number)


def hide_memory() -> None:
    """Keep this process's memory and environment from other processes of its user, and out of core dumps.

    For processes that hold tokens or secrets: jobs may run as the same user. Forked processes inherit it, programs that they
    execute do not.
    """
    _prctl("PR_SET_DUMPABLE", _DUMPABLE, 0)


def _prctl(name: str, option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"prctl({name}): {os.strerror(error)}")
