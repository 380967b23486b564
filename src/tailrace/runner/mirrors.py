"""An agent's mirrors: bare repositories whose objects its workspaces borrow, so that what was fetched once is there."""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from tailrace.domain.address import folder_name
from tailrace.runner.trees import Undeletable, give_to_owner, remove_tree

PACKS = 40
"""So many packs slow every look down: then they become one."""
PATIENCE_S = 0.02
SAY_S = 1.0
"""After so long a wait for another job's fetch, the log says so."""


class Mirror:
    """The mirror of one repository, shared by the attempts of this machine that check it out.

    Two locks, which end with their process: `used`, shared by all who borrow its objects, and `fetch`, held by the one who
    changes it. `folder` holds all mirrors.
    """

    def __init__(self, folder: Path, repository: str) -> None:
        name = folder_name(repository)
        self.path = folder / f"{name}.git"
        self._used = folder / f"{name}.used"
        self._fetch = folder / f"{name}.fetch"

    @contextmanager
    def used(self) -> Generator[None]:
        """While this lasts, nobody removes the mirror."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(self._used, fcntl.LOCK_SH):
            os.utime(self._used)
            yield

    @asynccontextmanager
    async def changing(
        self, waiting: Callable[[], None], stopped: Callable[[], bool]
    ) -> AsyncGenerator[bool]:
        """Alone with the mirror: True; False when `stopped` came before that.

        `waiting` is called once, when another attempt has had it for a while.
        """
        fd = os.open(self._fetch, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            said_at = time.monotonic() + SAY_S
            while not _try(fd):
                if stopped():
                    yield False
                    return
                if time.monotonic() > said_at:
                    waiting()
                    said_at = float("inf")
                await asyncio.sleep(PATIENCE_S)
            self._unlock_git()
            yield True
        finally:
            os.close(fd)

    @property
    def made(self) -> bool:
        """Whether there is a repository."""
        return (self.path / "HEAD").exists()

    @property
    def shallow(self) -> bool:
        """Whether some history is missing."""
        return (self.path / "shallow").exists()

    @property
    def scattered(self) -> bool:
        """Whether its objects lie in too many packs."""
        with suppress(OSError):
            return sum(name.endswith(".pack") for name in os.listdir(self.path / "objects" / "pack")) > PACKS
        return False

    def commit_at(self, ref: str) -> str:
        """What a ref of its own points at; raises OSError."""
        return (self.path / ref).read_text(encoding="ascii").strip()

    def lend(self, workspace: Path, url: str) -> None:
        """Make an empty repository in `workspace` that borrows this mirror's objects and knows `url` as its origin."""
        git = workspace / ".git"
        for folder in ("objects/info", "refs/heads", "refs/tags"):
            (git / folder).mkdir(parents=True, exist_ok=True)
        (git / "HEAD").write_text("ref: refs/heads/main\n", encoding="ascii")
        quoted = url.replace("\\", "\\\\").replace('"', '\\"')
        (git / "config").write_text(
            "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n\tlogallrefupdates = true\n"
            f'[remote "origin"]\n\turl = "{quoted}"\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n',
            encoding="utf-8",
        )
        (git / "objects/info/alternates").write_text(f"{self.path}/objects\n", encoding="utf-8")
        with suppress(FileNotFoundError):
            (git / "shallow").write_bytes((self.path / "shallow").read_bytes())
        give_to_owner(workspace)

    def _unlock_git(self) -> None:
        """Remove locks of a git that was killed: who holds our lock is alone."""
        for name in ("shallow.lock", "packed-refs.lock", "HEAD.lock", "config.lock"):
            (self.path / name).unlink(missing_ok=True)


def remove_unused(folder: Path, older_than_s: float, largest_bytes: int) -> list[Path]:
    """Remove mirrors that nobody borrows now: those unused for so long, and the longest unused while all take more room.

    Returns what was removed. May be called beside runners, and takes as long as looking at every file.
    """
    with suppress(FileNotFoundError):
        marks = sorted(folder.glob("*.used"), key=lambda mark: mark.stat().st_mtime)
        sizes = {mark: _size_of(mark.with_suffix(".git")) for mark in marks}
        total = sum(sizes.values())
        removed: list[Path] = []
        for mark in marks:
            old = time.time() - mark.stat().st_mtime > older_than_s
            mirror = mark.with_suffix(".git")
            if (old or total > largest_bytes) and mirror.exists() and _remove(mark, mirror):
                removed.append(mirror)
                total -= sizes[mark]
        return removed
    return []


def _remove(mark: Path, mirror: Path) -> bool:
    with suppress(BlockingIOError, Undeletable), _locked(mark, fcntl.LOCK_EX | fcntl.LOCK_NB):
        remove_tree(mirror)
        return True
    return False


def _size_of(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(f"{place}/{name}").st_blocks * 512
    return total


def _try(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _locked(path: Path, how: int) -> Generator[None]:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, how)
        yield
    finally:
        os.close(fd)
