"""Bytes that programs read as files, and that are on no disk."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager

_NAME = "TAILRACE_HELD_"


@contextmanager
def in_memory(contents: Iterable[bytes], owner: int | None = None) -> Generator[tuple[int, ...]]:
    """Descriptors of files with these bytes, which only `owner` (a user's id; None: this process's) may open.

    A process that inherits one finds it at `/proc/PID/fd/NUMBER`, and so do those that it starts; it is gone when the last of them
    is. Raises OSError.
    """
    fds: list[int] = []
    try:
        for content in contents:
            fd = os.memfd_create("held", os.MFD_CLOEXEC)
            fds.append(fd)
            os.fchmod(fd, 0o600)  # ssh takes no key that others may read
            if owner is not None:
                os.fchown(fd, owner, -1)
            with open(fd, "wb", closefd=False) as file:
                file.write(content)
        yield tuple(fds)
    finally:
        for fd in fds:
            os.close(fd)


def names_of(fds: Sequence[int]) -> dict[str, str]:
    """What a process's environment says of the descriptors that it inherits: TAILRACE_HELD_0 is the first one's number."""
    return {f"{_NAME}{index}": str(fd) for index, fd in enumerate(fds)}
