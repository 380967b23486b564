"""The folder that a job's sources are in: empty and gone with its attempt, or kept for the job's next one."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from tailrace.domain.lease import Lease
from tailrace.runner.folder import AttemptFolder
from tailrace.runner.inventory import Inventory
from tailrace.runner.shared import open_lock, try_lock
from tailrace.runner.trees import Undeletable, empty_tree, own_folder

_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


class Workspace(NamedTuple):
    """`found`: it holds what an earlier attempt left. `inventory`: where one that stays when the attempt ends has it."""

    path: Path
    found: bool = False
    inventory: Inventory | None = None

    def clear(self) -> None:
        """Let one that stays hold nothing, and the next attempt begin it anew; what cannot be removed is said."""
        if self.inventory is not None:
            try:
                self.inventory.take()
                empty_tree(self.path)
            except Undeletable as error:
                print(error, file=sys.stderr)


@contextmanager
def workspace_of(folder: AttemptFolder, lease: Lease) -> Generator[Workspace]:
    """The attempt's workspace, its alone while this lasts; raises OSError when it cannot be made.

    Attempts of a job that run at the same time, of several runs, get one each, and its next ones find the first that is free.
    """
    # Submodules: see the plan's reader. A user of its own: files that one job's user left would have to be given to the next's.
    if lease.job.workspace == "clean" or lease.job.submodules != "none" or folder.user is not None:
        yield Workspace(folder.workspace)
        return
    folder.workspaces.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = _name(lease)
    for number in itertools.count(1):
        mark = folder.workspaces / f"{name}-{number}.used"
        fd = open_lock(mark)
        try:
            workspace = _take(mark.with_suffix("")) if try_lock(fd) else None
            if workspace is not None:
                os.utime(fd)
                with suppress(OSError):  # where the disk is full: who needs it has other means too
                    folder.kept_name.write_text(mark.with_suffix("").name, encoding="utf-8")
                yield workspace
                os.utime(fd)
                return
        finally:
            os.close(fd)


def _take(place: Path) -> Workspace | None:
    """The workspace in a place that holds it and its inventory; None when something is mounted there."""
    path = place / "workspace"
    with suppress(Undeletable):
        own_folder(place)
        return Workspace(path, own_folder(path), Inventory(place / "inventory"))
    return None


def _name(lease: Lease) -> str:
    """Readable, and another one for every other job or repository."""
    readable = _UNSAFE.sub("-", f"{lease.project}-{lease.job.name}").strip(".-")[:40] or "job"
    whole = "\0".join((lease.project, lease.plan, lease.job.name, lease.repository))
    return f"{readable}-{hashlib.sha256(whole.encode()).hexdigest()[:16]}"
