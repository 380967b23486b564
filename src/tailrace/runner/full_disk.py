"""A disk that stays full: whether it is the attempt's own files that fill it, and then its end."""

from __future__ import annotations

import asyncio
import os
import random
import stat
from contextlib import suppress
from pathlib import Path

from tailrace.domain.sizes import MIB
from tailrace.runner.folder import AttemptFolder
from tailrace.runner.shared import size_of
from tailrace.runner.stop import Stop

PATIENCE_S = 120.0
"""For so long a log waits for room that others may make."""
_SPREAD = 1.25  # attempts that wait for the same room give up one after the other: the first makes some
_LARGE_BYTES = 64 * MIB
_LARGE_PART = 10


class FullDisk:
    """Hears whether the attempt's record finds room, and stops the attempt when it is to blame that it finds none for long.

    To blame is one whose workspace and temporary files hold 64 MiB, or a tenth of a smaller disk: its end makes room for its
    log. Another waits, as long as it takes.
    """

    def __init__(self, folder: AttemptFolder, stop: Stop, patience_s: float = PATIENCE_S) -> None:
        self._folder = folder
        self._stop = stop
        self._patience_s = patience_s
        self._loop = asyncio.get_running_loop()
        self._since: float | None = None
        self._judge_at = 0.0
        self._judging: asyncio.Task[None] | None = None

    def no_room(self) -> None:
        """There is none still; to be told again and again."""
        now = self._loop.time()
        if self._since is None:
            self._wait_from(now)
        elif now >= self._judge_at and self._judging is None:
            self._judging = self._loop.create_task(self._judge(self._since))

    def room(self) -> None:
        """There is some again."""
        self._since = None

    def _wait_from(self, now: float) -> None:
        self._since = now
        self._judge_at = now + self._patience_s * random.uniform(1, _SPREAD)  # noqa: S311 -- spreading, not secrecy

    async def _judge(self, since: float) -> None:
        size, large = await asyncio.to_thread(self._measure)
        self._judging = None
        if self._since != since:
            return
        if size >= large:
            self._stop.fill_disk(os.uname().nodename, self._loop.time() - since, size)
        else:
            self._wait_from(self._loop.time())

    def _measure(self) -> tuple[int, int]:
        """How many bytes the attempt's own files hold on the disk of its log, and how many are too many."""
        folder = self._folder
        disk = os.statvfs(folder.path)
        large = min(_LARGE_BYTES, disk.f_blocks * disk.f_frsize // _LARGE_PART)
        trees = (folder.workspace, folder.tmp, folder.kept)
        return sum(size_of(tree) for tree in trees if tree is not None and self._is_here(tree)), large

    def _is_here(self, tree: Path) -> bool:
        """Whether it is a folder, and no link that a job put there, on the same disk."""
        with suppress(OSError):
            found = tree.lstat()
            return stat.S_ISDIR(found.st_mode) and found.st_dev == self._folder.path.lstat().st_dev
        return False
