"""What a checkout knows of a kept workspace, kept beside it, where no job writes."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tailrace.runner.trees import remove_tree, write_for_owner


class Kept(NamedTuple):
    """An inventory's bytes, and its time (ns), by which git tells whether a file was changed after it."""

    content: bytes
    time_ns: int = 0


class Inventory:
    """What a checkout knows of the repository's files in a kept workspace: git's index, or the paths that Subversion's had.

    It was written before the job's first step: what a job has changed in the workspace's own `.git` or `.svn` is never believed.
    Where there is none (a checkout was cut short), nothing is known of the workspace.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def take(self) -> Kept | None:
        """What was kept, and from now on nothing is. Raises Undeletable."""
        kept = None
        with suppress(OSError):
            kept = read_kept(self._path)
        remove_tree(self._path)
        return kept

    def keep(self, kept: Kept) -> None:
        """Keep it for the next attempt; raises OSError."""
        write_for_owner(self._path, kept.content)
        os.utime(self._path, ns=(kept.time_ns, kept.time_ns), follow_symlinks=False)


def read_kept(path: str | Path, folder: int | None = None) -> Kept:
    """A file's bytes and time; `folder` is the descriptor that `path` begins at. Raises OSError, for a link too."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, dir_fd=folder), "rb") as file:
        return Kept(file.read(), os.fstat(file.fileno()).st_mtime_ns)
