"""Bytes of artifacts out of the archive."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator

from tailrace.domain.errors import ArtifactDamaged
from tailrace.logs.archive import Archive, ObjectMissing
from tailrace.store.artifacts import Stored

BLOCK_BYTES = 1024 * 1024


class Reader:
    """Reads what the archive holds; a whole file is compared with what was kept."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    async def blocks(self, stored: Stored, start: int, stop: int) -> AsyncGenerator[bytes]:
        """The bytes [start, stop). Raises ArchiveAway, and ArtifactDamaged: for a whole file before its last block."""
        digest = hashlib.sha256() if (start, stop) == (0, stored.size) else None
        at = start
        while at < stop:
            block = await asyncio.to_thread(self.read, stored, at, min(at + BLOCK_BYTES, stop))
            at += len(block)
            if digest is not None:
                digest.update(block)
                if at == stop and digest.hexdigest() != stored.sha256:
                    raise damaged(stored, f"its SHA-256 is {digest.hexdigest()}, not {stored.sha256}")
            yield block

    def read(self, stored: Stored, start: int, stop: int) -> bytes:
        """The bytes [start, stop), all of them; blocks. Raises ArchiveAway, ArtifactDamaged."""
        try:
            block = self._archive.read(stored.key, start, stop)
        except ObjectMissing as error:
            raise damaged(stored, "it is missing there") from error
        if len(block) != stop - start:
            raise damaged(stored, f"it ends before byte {stop:,}")
        return block


def damaged(stored: Stored, cause: str) -> ArtifactDamaged:
    """The archive does not hold what was kept."""
    return ArtifactDamaged(stored.id, stored.path, stored.key, cause)
