"""Unix sockets in folders however deep: a socket's address may be 107 bytes at most, a folder's path may be longer."""

from __future__ import annotations

import os
import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def address(path: Path) -> Generator[str, None, None]:
    """A short name for `path` while the context lasts; raises FileNotFoundError when its folder is missing."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def listen(path: Path, backlog: int = 128) -> socket.socket:
    """A listening stream socket that only this user may connect to; replaces a socket left at `path`."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with address(path) as name:
            Path(name).unlink(missing_ok=True)
            before = os.umask(0o177)
            try:
                made.bind(name)
            finally:
                os.umask(before)
        made.listen(backlog)
    except BaseException:
        made.close()
        raise
    return made


def connect(path: Path) -> socket.socket:
    """A stream socket connected to `path`; raises OSError (nobody listens, no such socket)."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with address(path) as name:
            made.connect(name)
    except BaseException:
        made.close()
        raise
    return made
