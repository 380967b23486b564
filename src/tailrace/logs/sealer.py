"""Seals logs in the background: live tail → segments in the archive; then the tail lets go of what they hold."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar

import structlog

from tailrace.domain.errors import ArchiveAway
from tailrace.logs.archive import Archive
from tailrace.logs.base import Base, LogStore, base_after
from tailrace.logs.segment_index import SEGMENT_BYTES
from tailrace.logs.segment_writer import Segment, build_segment
from tailrace.store import Store
from tailrace.store.segments import (
    SealWork,
    SegmentRow,
    add_segment,
    archive_in_use,
    claim_ended,
    claim_growing,
    find_orphans,
    finish_sealing,
    forget_orphans,
    release_seal_claims,
    renew_seal_claims,
    sealed_among,
)

T = TypeVar("T")

LARGE_BYTES = 1024 * 1024
"""Logs of this size are sealed as soon as they end; smaller ones a little later, many at once."""

AT_ONCE = 64
"""Logs that are being sealed."""

THREADS = 8
"""They wait for disks; of large segments only as many as there are processors are in memory."""

SWEEP_S = 60.0
ORPHAN_MS = 3600 * 1000
BROKEN_MS = 600 * 1000
"""For so long nobody tries again to seal a log whose bytes are not there."""

_log = structlog.get_logger("sealing")


@dataclass(frozen=True)
class ArchiveState:
    """Whether the archive works: `away` says why not, `since` (ms since the epoch) from when on."""

    url: str
    away: str | None = None
    since: int | None = None


class Sealer:
    """Claims logs that have ended, and those that have grown by a segment, and seals them; every server may do it.

    A crash at any point repeats harmlessly: a segment counts when its row is in the store, which is when the archive holds
    it and has read it back; only then the tail lets go of its bytes. While the archive is away nothing is claimed but one
    log now and then, and the tails keep everything.
    """

    def __init__(
        self,
        store: Store,
        tail: LogStore,
        archive: Archive,
        *,
        delay_s: float = 5.0,
        poll_s: float = 2.0,
        claim_s: float = 30.0,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        """Logs below LARGE_BYTES wait `delay_s`; a claim that nobody renews is free after `claim_s`."""
        self.state = ArchiveState(archive.url)
        self._store = store
        self._tail = tail
        self._archive = archive
        self._delay_ms = int(delay_s * 1000)
        self._poll_s = poll_s
        self._claim_ms = int(claim_s * 1000)
        self._segment_bytes = segment_bytes
        self._server = secrets.token_hex(16)
        self._asked = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._grown: set[int] = set()
        self._busy: dict[asyncio.Task[None], SealWork] = {}
        self._back_off_s = 0.0
        self._try_at = 0.0
        self._sweep_at = 0.0
        processors = os.cpu_count() or 1
        self._large = asyncio.Semaphore(max(processors, 2))
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="seal")
        self._compressors = ThreadPoolExecutor(processors, thread_name_prefix="compress")

    def wake(self) -> None:
        """A log has ended. To be called in the event loop."""
        self._asked.set()

    def grew(self, log: int) -> None:
        """A log has grown by a segment. May be called from any thread."""
        self._grown.add(log)
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._asked.set)

    def sweep_soon(self) -> None:
        """Objects have to go from the archive."""
        self._sweep_at = 0.0
        self._asked.set()

    async def run(self) -> None:
        """Seal until cancelled."""
        try:
            while True:
                try:
                    await self.look()
                except Exception as error:
                    _log.error("logs could not be claimed for sealing; trying again", error=str(error))
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._poll_s):
                        await self._asked.wait()
                self._asked.clear()
        finally:
            await self.close()

    async def close(self) -> None:
        """Give back what is not done."""
        works = list(self._busy.values())
        for task in self._busy:
            task.cancel()
        await asyncio.gather(*self._busy, return_exceptions=True)
        with suppress(Exception):
            await self._store.write(release_seal_claims, self._server, [work.log_id for work in works])
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._compressors.shutdown(wait=False, cancel_futures=True)

    async def look(self) -> None:
        """One round: claim what is to be sealed, as far as there is room, and begin with it."""
        if self._busy:
            logs = [work.log_id for work in self._busy.values()]
            await self._store.write(renew_seal_claims, self._server, logs, self._claim_ms)
        if self.state.away is not None and self._loop.time() < self._try_at:
            return
        if len(self._busy) > AT_ONCE // 2:
            return
        if self._loop.time() >= self._sweep_at or self.state.away is not None:
            if not await self._sweep():
                return
            self._sweep_at = self._loop.time() + SWEEP_S
        room = AT_ONCE - len(self._busy) if self.state.away is None else 1
        works = await self._store.write(
            claim_ended, self._server, self._claim_ms, room, large=LARGE_BYTES, delay_ms=self._delay_ms
        )
        if not works and self.state.away is not None:
            self._came_back()
        if self._grown and self.state.away is None:
            grown, self._grown = self._grown, set()
            works += await self._store.write(claim_growing, self._server, self._claim_ms, sorted(grown))
        for work in works:
            task = asyncio.create_task(self._seal(work))
            self._busy[task] = work
            task.add_done_callback(self._done)

    async def settle(self) -> None:
        """Wait for what was begun."""
        while self._busy:
            await asyncio.wait(list(self._busy))

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._busy[task]
        self._asked.set()

    async def _seal(self, work: SealWork) -> None:
        log = work.log_id
        try:
            await self._seal_all(work)
        except ArchiveAway as error:
            self._went_away(error.cause)
            await self._give_back(log, 0)
        except Exception as error:
            _log.error("a log could not be sealed; it is tried again later", log=log, error=str(error))
            await self._give_back(log, BROKEN_MS)

    async def _give_back(self, log: int, hold_ms: int) -> None:
        try:
            if hold_ms:
                await self._store.write(renew_seal_claims, self._server, [log], hold_ms)
            else:
                await self._store.write(release_seal_claims, self._server, [log])
        except Exception as error:
            _log.error("a claim could not be given back; it runs out", log=log, error=str(error))

    async def _seal_all(self, work: SealWork) -> None:
        """Segment after segment; at the end of a log that has ended, its tail goes."""
        log, last = work.log_id, work.last
        if last is not None and not work.whole:
            await self._in_thread(
                self._tail.drop, log, base_after(last)
            )  # whoever added it may have died then
        if work.whole:
            await self._store.write(finish_sealing, self._server, log)
        while not work.whole:
            stop = work.sealed + self._segment_bytes
            if work.size is not None:
                stop = min(stop, work.size)
            elif stop > await self._in_thread(self._tail.end, log):
                await self._store.write(release_seal_claims, self._server, [log], [work.key])
                return
            row = await self._put(work, stop)
            self._came_back()
            left = await self._store.write(add_segment, self._server, log, row)
            if left is None:
                return  # somebody else seals it, or it began anew
            work = left
            if not work.whole:
                await self._in_thread(self._tail.drop, log, base_after(row))
        await self._in_thread(self._tail.remove, log)

    async def _put(self, work: SealWork, stop: int) -> SegmentRow:
        if stop - work.sealed < LARGE_BYTES:
            return await self._in_thread(self._put_now, work, stop)
        async with self._large:
            return await self._in_thread(self._put_now, work, stop)

    def _put_now(self, work: SealWork, stop: int) -> SegmentRow:
        last = work.last
        number, base = (0, Base()) if last is None else (last.number + 1, base_after(last))
        segment = build_segment(self._tail, work.log_id, number, base, stop, self._compressors)
        self._archive.put(work.key, segment.data, segment.sha256)
        return row_of(segment, work.key)

    async def _sweep(self) -> bool:
        """Look after the archive: its mark, and objects that have to go. False when it is away."""
        try:
            begun = await self._store.read(archive_in_use)
            await self._in_thread(self._check, not begun)
            while keys := await self._store.read(find_orphans, 100, ORPHAN_MS):
                await self._in_thread(self._archive.remove, keys)
                await self._store.write(forget_orphans, keys)
        except ArchiveAway as error:
            self._went_away(error.cause)
            return False
        return True

    def _check(self, begin: bool) -> None:
        self._archive.check(begin=begin)

    def _went_away(self, cause: str) -> None:
        if self.state.away is None:
            _log.error("the archive is away: logs stay in the live tail until it is back", cause=cause)
            self.state = replace(self.state, since=int(time.time() * 1000))
        self.state = replace(self.state, away=cause)
        if self._loop.time() < self._try_at:
            return  # others of the same round were told the same
        self._back_off_s = min(max(self._back_off_s * 2, 1.0), 60.0)
        self._try_at = self._loop.time() + self._back_off_s

    def _came_back(self) -> None:
        if self.state.away is not None:
            _log.info("the archive is back")
            self.state = ArchiveState(self.state.url)
            self._asked.set()
        self._back_off_s = 0.0

    async def _in_thread(self, function: Callable[..., T], *args: object) -> T:
        return await self._loop.run_in_executor(self._threads, function, *args)


async def remove_sealed_tails(store: Store, tail: LogStore, logs: list[int]) -> None:
    """Remove those tails that a server which died had sealed and not yet removed."""
    for first in range(0, len(logs), 500):
        for log in await store.read(sealed_among, logs[first : first + 500]):
            await asyncio.to_thread(tail.remove, log)


def row_of(segment: Segment, key: str) -> SegmentRow:
    """What the store keeps of a segment."""
    index = segment.index
    return SegmentRow(
        index.number,
        index.start,
        index.stop,
        index.first_line,
        index.lines,
        index.first_time,
        index.last_time,
        len(segment.data),
        segment.sha256,
        index.crc32,
        key,
    )
