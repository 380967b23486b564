"""The folder that a job's sources are in: empty and gone with its attempt, or kept for the job's next one."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tailrace.domain.lease import Lease
from tailrace.runner.folder import AttemptFolder
from tailrace.runner.shared import try_lock

_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


class Workspace(NamedTuple):
    """`kept`: it stays when the attempt ends. `found`: it holds what an earlier attempt left."""

    path: Path
    kept: bool = False
    found: bool = False


@contextmanager
def workspace_of(folder: AttemptFolder, lease: Lease) -> Generator[Workspace]:
    """The attempt's workspace, its alone while this lasts; raises OSError when it cannot be made.

    Attempts of a job that run at the same time, of several runs, get one each, and its next ones find the first that is free.
    """
    if lease.job.workspace == "clean":
        yield Workspace(folder.workspace)
        return
    folder.workspaces.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = _name(lease)
    for number in itertools.count(1):
        mark = folder.workspaces / f"{name}-{number}.used"
        fd = os.open(mark, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if try_lock(fd):
                os.utime(mark)
                yield _take(mark.with_suffix(""))
                os.utime(mark)
                return
        finally:
            os.close(fd)


def _take(path: Path) -> Workspace:
    if path.is_symlink() or (path.exists() and not path.is_dir()):  # a job may leave anything
        path.unlink()
    found = path.is_dir()
    path.mkdir(mode=0o700, exist_ok=True)
    path.chmod(0o700)
    return Workspace(path, kept=True, found=found)


def _name(lease: Lease) -> str:
    """Readable, and another one for every other job or repository."""
    readable = _UNSAFE.sub("-", f"{lease.project}-{lease.job.name}").strip(".-")[:40] or "job"
    whole = "\0".join((lease.project, lease.plan, lease.job.name, lease.repository))
    return f"{readable}-{hashlib.sha256(whole.encode()).hexdigest()[:16]}"
