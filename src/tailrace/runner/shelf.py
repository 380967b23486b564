"""Where the jobs of a run without a server keep their artifacts: files in a folder of the run, one for each job.

It stands beside the folder of attempts, and only such a run has it.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from tailrace.domain.artifacts import FileSpec
from tailrace.inside import blocks, entries, reading, writing

_BLOCK_BYTES = 256 * 1024


class Shelved(NamedTuple):
    """A file on a shelf: its `path` and its `size` in bytes."""

    path: str
    size: int


class Shelf:
    """What one job keeps; `root` is the folder of the run for all of them."""

    def __init__(self, root: Path, job: str) -> None:
        name = quote(job, safe=" (),=+@")
        self.path = root / (name.replace(".", "%2E") if set(name) <= {"."} else name)

    async def keep(self, workspace: Path, file: FileSpec) -> bool:
        """Copy it from the workspace; False when it is not what it was any more. Raises OSError."""
        self.path.mkdir(exist_ok=True)
        return await _copy(workspace, file.path, self.path, file.path) == file.sha256

    async def bring(self, path: str, workspace: Path, to: str) -> None:
        """Copy a file into the workspace. Raises OSError."""
        await _copy(self.path, path, workspace, to)

    def files(self) -> list[Shelved]:
        """All that is kept, by path. Raises OSError."""
        found: list[Shelved] = []
        folders = [""] if self.path.is_dir() else []
        while folders:
            for entry in entries(self.path, folders.pop()):
                if entry.kind == "folder":
                    folders.append(entry.path)
                elif entry.kind == "file":
                    found.append(Shelved(entry.path, (self.path / entry.path).stat().st_size))
        return sorted(found)


async def _copy(source: Path, path: str, target: Path, to: str) -> str:
    """The digest of what was copied."""
    digest = hashlib.sha256()
    with reading(source, path) as read, writing(target, to) as written:
        for block in blocks(read, _BLOCK_BYTES):
            digest.update(block)
            view = memoryview(block)
            while view:
                view = view[os.write(written, view) :]
            await asyncio.sleep(0)  # an abort is heard in between
        if os.fstat(read).st_mode & stat.S_IXUSR:
            os.fchmod(written, os.fstat(written).st_mode | 0o111)
    return digest.hexdigest()
