"""Folders of an agent that outlive attempts: used by some of them, changed by one at a time, removed when nobody needs them."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from tailrace.runner.trees import Undeletable, remove_tree

PATIENCE_S = 0.02
SAY_S = 1.0
"""After so long a wait for another job's fetch, the log says so."""
KINDS = (".git", ".svn", "")
"""What follows the name of a mirror of git's, one of Subversion's, and a kept workspace."""


class Shared:
    """A folder with two locks, which end with their process: `used`, shared by all who need it as it is, and `fetch`, held
    by the one who changes it. `kind` is one of KINDS."""

    def __init__(self, folder: Path, name: str, kind: str) -> None:
        self.path = folder / f"{name}{kind}"
        self._used = folder / f"{name}.used"
        self._fetch = folder / f"{name}.fetch"

    @contextmanager
    def used(self) -> Generator[None]:
        """While this lasts, nobody removes the folder."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locked(self._used, fcntl.LOCK_SH) as fd:
            os.utime(fd)
            yield

    @asynccontextmanager
    async def changing(
        self, waiting: Callable[[], None], stopped: Callable[[], bool]
    ) -> AsyncGenerator[bool]:
        """Alone with the folder: True; False when `stopped` came before that.

        `waiting` is called once, when another attempt has had it for a while.
        """
        fd = open_lock(self._fetch)
        try:
            said_at = time.monotonic() + SAY_S
            while not try_lock(fd):
                if stopped():
                    yield False
                    return
                if time.monotonic() > said_at:
                    waiting()
                    said_at = float("inf")
                await asyncio.sleep(PATIENCE_S)
            self.unlock()
            yield True
        finally:
            os.close(fd)

    def unlock(self) -> None:
        """Remove what a killed program's own locks left: who changes the folder is alone with it."""


def remove_unused(folder: Path, older_than_s: float, largest_bytes: int) -> list[Path]:
    """Remove what nobody uses now: what was unused for so long, and the longest unused while all take more room.

    Returns what was removed. May be called beside runners, and takes as long as looking at every file.
    """
    with suppress(FileNotFoundError):
        marks = sorted(folder.glob("*.used"), key=_last_used)
        places = {mark: place for mark in marks if (place := _place_of(mark)) is not None}
        sizes = {mark: size_of(place) for mark, place in places.items()}
        total = sum(sizes.values())
        removed: list[Path] = []
        for mark, place in places.items():
            old = time.time() - _last_used(mark) > older_than_s
            if (old or total > largest_bytes) and _remove(mark, place):
                removed.append(place)
                total -= sizes[mark]
        return removed
    return []


@contextmanager
def locked(path: Path, how: int) -> Generator[int]:
    """Hold a lock on a file, see `open_lock`; its descriptor. Raises BlockingIOError where `how` says not to wait."""
    fd = open_lock(path)
    try:
        fcntl.flock(fd, how)
        yield fd
    finally:
        os.close(fd)


def open_lock(path: Path) -> int:
    """The descriptor of a file to lock, which is made where there is none; a link in its place goes."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o600)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
    path.unlink()
    return os.open(path, flags, 0o600)


def _place_of(mark: Path) -> Path | None:
    places = (mark.with_suffix(kind) for kind in KINDS)
    return next((place for place in places if place.is_dir() and not place.is_symlink()), None)


def _last_used(mark: Path) -> float:
    return mark.lstat().st_mtime


def _remove(mark: Path, place: Path) -> bool:
    with suppress(BlockingIOError, Undeletable), locked(mark, fcntl.LOCK_EX | fcntl.LOCK_NB):
        remove_tree(place)
        return True
    return False


def size_of(folder: Path) -> int:
    """The bytes that its files take on the disk."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(f"{place}/{name}").st_blocks * 512
    return total


def try_lock(fd: int) -> bool:
    """Lock an open file for its alone, unless another has it; the lock ends when the descriptor is closed."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
