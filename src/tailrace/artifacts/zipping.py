"""Many artifacts as one zip, made while it is sent: nothing of it is ever whole in memory or on a disk."""

from __future__ import annotations

import asyncio
import hashlib
import io
import time
import zipfile
from collections.abc import AsyncGenerator, Iterator, Sequence

from tailrace.artifacts.reading import BLOCK_BYTES, Reader, damaged
from tailrace.store.artifacts import InZip

_FIRST_YEAR = 1980  # of a zip's calendar


async def zipped(reader: Reader, files: Sequence[InZip], *, by_job: bool) -> AsyncGenerator[bytes]:
    """The zip's bytes; files are stored as they are, below a folder with their job's name where `by_job` is set.

    Raises ArchiveAway, ArtifactDamaged: then the zip ends too early, and no program takes it for whole.
    """
    steps = _steps(reader, files, by_job)
    while (block := await asyncio.to_thread(next, steps, None)) is not None:
        if block:
            yield block


def _steps(reader: Reader, files: Sequence[InZip], by_job: bool) -> Iterator[bytes]:
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for file in files:
            stored = file.stored
            digest = hashlib.sha256()
            with archive.open(_entry(file, by_job), "w") as entry:
                for start in range(0, stored.size, BLOCK_BYTES):
                    block = reader.read(stored, start, min(start + BLOCK_BYTES, stored.size))
                    digest.update(block)
                    entry.write(block)
                    yield sink.taken()
            if digest.hexdigest() != stored.sha256:
                raise damaged(stored, f"its SHA-256 is {digest.hexdigest()}, not {stored.sha256}")
    yield sink.taken()


def _entry(file: InZip, by_job: bool) -> zipfile.ZipInfo:
    made = time.gmtime(file.created_at / 1000)[:6]
    path = f"{file.job_name}/{file.stored.path}" if by_job else file.stored.path
    entry = zipfile.ZipInfo(path, made if made[0] >= _FIRST_YEAR else (_FIRST_YEAR, 1, 1, 0, 0, 0))
    entry.file_size = file.stored.size  # decides whether its sizes need 64 bits
    entry.external_attr = (0o100755 if file.executable else 0o100644) << 16
    return entry


class _Sink(io.RawIOBase):
    """Where a zip is written: nobody can seek in it."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        part = bytes(memoryview(data))  # type: ignore[arg-type]
        self._parts.append(part)
        return len(part)

    def taken(self) -> bytes:
        """What was written since the last time."""
        parts, self._parts = self._parts, []
        return b"".join(parts)
