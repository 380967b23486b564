"""Bytes of artifacts on their way into the archive."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from tailrace.domain.artifacts import Announcement, Kept
from tailrace.domain.errors import ArchiveAway, TailraceError
from tailrace.live.bus import Bus
from tailrace.live.scopes import wake_run
from tailrace.logs.archive import Archive, ArchiveWriter
from tailrace.store import Store
from tailrace.store.artifacts import Carrier, Upload, announce, begin_upload, finish_upload
from tailrace.store.segments import touch_orphan

BLOCK_BYTES = 1024 * 1024
TOUCH_S = 60.0
"""How often an object that is still coming is shown to be somebody's; what nobody touches for an hour is taken away."""


class NotAnnounced(TailraceError):
    """What came is not what was announced: its size or its SHA-256 is another."""


class Keeper:
    """Takes artifacts from runners.

    A file counts when its row names an object that the archive has read back. Its key is an orphan's until then, so that no
    crash leaves an object that nobody knows.
    """

    def __init__(self, store: Store, archive: Archive, bus: Bus, most_bytes: int) -> None:
        """`most_bytes`: of the artifacts of one attempt."""
        self._store = store
        self._archive = archive
        self._bus = bus
        self._most_bytes = most_bytes

    async def announce(self, carrier: Carrier, said: Announcement) -> list[Kept]:
        """Write down what is to come, and say which of it is wanted. Raises TooLarge."""
        return await self._store.write(announce, carrier, said, self._most_bytes)

    async def receive(self, carrier: Carrier, id: int, body: AsyncIterator[bytes]) -> None:
        """Keep a file's bytes.

        Raises NotFound for one that was not announced, NotAnnounced for other bytes than those, ArchiveAway when they cannot
        be kept now.
        """
        upload = await self._store.write(begin_upload, carrier.attempt_id, id)
        if upload.key is None:
            return  # its answer was lost
        writer = await asyncio.to_thread(self._archive.begin, upload.key)
        try:
            await self._take(writer, upload, body)
            await asyncio.to_thread(self._archive.end, writer)
        finally:
            # Not in a thread: whoever cancels this must not find it half done.
            writer.discard()
        counts, whole = await self._store.write(finish_upload, carrier.attempt_id, id, upload.key)
        if not counts:
            raise ArchiveAway(
                self._archive.url, "keeping the file took so long that it was taken for a leftover"
            )
        if whole:
            wake_run(self._bus, carrier.run_id)

    async def _take(self, writer: ArchiveWriter, upload: Upload, body: AsyncIterator[bytes]) -> None:
        waiting: list[bytes] = []
        held, came = 0, 0
        touched = time.monotonic()
        async for part in body:
            waiting.append(part)
            held += len(part)
            came += len(part)
            if came > upload.size:
                raise NotAnnounced(f"more bytes came than the {upload.size:,} that were announced")
            if held >= BLOCK_BYTES:
                await asyncio.to_thread(writer.write, b"".join(waiting))
                waiting, held = [], 0
            if time.monotonic() - touched > TOUCH_S:
                touched = time.monotonic()
                await self._store.write(touch_orphan, writer.key)
        if held:
            await asyncio.to_thread(writer.write, b"".join(waiting))
        if writer.size != upload.size or writer.sha256 != upload.sha256:
            raise NotAnnounced(
                f"{writer.size:,} bytes came with SHA-256 {writer.sha256}, and {upload.size:,} with"
                f" {upload.sha256} were announced"
            )
