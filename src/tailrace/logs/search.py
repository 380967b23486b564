"""Searches logs: in blocks, in a few threads that all searches share, with results in order as soon as they are known."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import NamedTuple, ParamSpec, TypeVar

from tailrace.domain.errors import NotFound
from tailrace.logs.base import LogReader
from tailrace.logs.search_block import LogHit, Seam, SearchedBlock, SearchWish, join_block, search_block

P = ParamSpec("P")
T = TypeVar("T")

FIRST_BLOCK_BYTES = 256 * 1024
"""A frame of a segment: the first hit shall not wait for more."""

BLOCK_BYTES = 512 * 1024
"""Larger ones are not reused by the allocator but given back to the system after each: half of the time went to page faults
(1 GB sealed: 1.9 s of processor time, with blocks of 2 MiB 3.0 s)."""

AHEAD = 4
"""Blocks of one search that are read at once, or wait for a thread: all searches take turns block by block."""

BEAT_S = 5.0


class SearchClosed(Exception):
    """The server goes away, and with it the search."""


class Stretch(NamedTuple):
    """The bytes [start, stop) of a log, to be searched; `start` counts as the begin of a line."""

    log: int
    start: int
    stop: int


class Searched(NamedTuple):
    """What a search says next: hits of one stretch, how many bytes it did since it last spoke, whether the stretch is done.

    `fault` says why the rest of the stretch cannot be searched. Nothing to say (`stretch` is None) is said too, as a sign
    of life.
    """

    stretch: Stretch | None
    hits: list[LogHit]
    bytes: int
    done: bool
    fault: OSError | NotFound | None = None


@dataclass
class _Progress:
    """How far one stretch is."""

    stretch: Stretch
    seam: Seam
    found: int = 0
    done: bool = False


@dataclass
class _Block:
    progress: _Progress
    start: int
    stop: int
    result: asyncio.Future[SearchedBlock] = field(init=False)

    @property
    def ends(self) -> bool:
        return self.stop == self.progress.stretch.stop


class LogSearch:
    """Searches what a LogReader reads; its threads are few, whatever is asked for. To be closed."""

    def __init__(
        self,
        logs: LogReader,
        *,
        threads: int | None = None,
        first_block: int = FIRST_BLOCK_BYTES,
        block: int = BLOCK_BYTES,
        beat_s: float = BEAT_S,
    ) -> None:
        self._logs = logs
        self._first_block = first_block
        self._block = block
        self._beat_s = beat_s
        self._closed = False
        threads = threads or min(max(os.cpu_count() or 1, 2), 8)
        self._scans = ThreadPoolExecutor(threads, thread_name_prefix="search")
        # What is found goes out although every other thread reads on.
        self._joins = ThreadPoolExecutor(threads, thread_name_prefix="search-join")

    def close(self) -> None:
        """End the searches that are under way, and let the threads go when they have done their block."""
        self._closed = True
        self._scans.shutdown(wait=False, cancel_futures=True)
        self._joins.shutdown(wait=False)

    async def search(self, wish: SearchWish, stretches: AsyncGenerator[Stretch]) -> AsyncGenerator[Searched]:
        """Search one stretch after the other. Whoever stops asking, and closes the generator, ends the search: only the
        blocks that a thread is in are finished. Raises SearchClosed."""
        blocks = self._blocks(stretches)
        ahead: deque[_Block] = deque()
        more = True
        try:
            while True:
                while more and len(ahead) < AHEAD:
                    block = await anext(blocks, None)
                    if block is None:
                        more = False
                    else:
                        block.result = self._in_thread(
                            self._scans,
                            search_block,
                            self._logs,
                            block.progress.stretch.log,
                            block.start,
                            block.stop,
                            wish,
                        )
                        ahead.append(block)
                if not ahead:
                    return
                while not (await asyncio.wait({ahead[0].result}, timeout=self._beat_s))[0]:
                    yield Searched(None, [], 0, False)
                if self._closed:
                    raise SearchClosed
                block = ahead.popleft()
                if block.progress.done:  # it has as many hits as were wanted
                    _forget(block.result)
                else:
                    yield await self._join(block, wish)
        finally:
            for block in ahead:
                _forget(block.result)
            await blocks.aclose()

    async def _join(self, block: _Block, wish: SearchWish) -> Searched:
        progress, log = block.progress, block.progress.stretch.log
        try:
            found = block.result.result()
            hits, progress.seam = await self._in_thread(
                self._joins, join_block, self._logs, log, progress.seam, found, wish, ends=block.ends
            )
        except (OSError, NotFound) as fault:
            progress.done = True
            return Searched(progress.stretch, [], 0, True, fault)
        hits = hits[: wish.most - progress.found]
        progress.found += len(hits)
        progress.done = block.ends or progress.found >= wish.most
        return Searched(progress.stretch, hits, block.stop - block.start, progress.done)

    async def _blocks(self, stretches: AsyncGenerator[Stretch]) -> AsyncGenerator[_Block]:
        async with aclosing(stretches):
            async for stretch in stretches:
                progress = _Progress(stretch, Seam(stretch.start, b""))
                for start, stop in cut(stretch, self._first_block, self._block):
                    if progress.done:
                        break
                    yield _Block(progress, start, stop)

    def _in_thread(
        self, threads: ThreadPoolExecutor, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> asyncio.Future[T]:
        if self._closed:
            raise SearchClosed
        return asyncio.wrap_future(threads.submit(function, *args, **kwargs))


def cut(stretch: Stretch, first: int, most: int) -> Iterator[tuple[int, int]]:
    """The blocks of a stretch: the first is small, the others grow to `most` bytes; they end at multiples of their size."""
    at, size = stretch.start, first
    if at >= stretch.stop:
        yield at, at  # of nothing, so that it is reported
    while at < stretch.stop:
        stop = min((at // size + 1) * size, stretch.stop)
        yield at, stop
        at, size = stop, min(size * 2, most)


def _forget(result: asyncio.Future[SearchedBlock]) -> None:
    """Nobody wants it any more, nor to hear why it failed."""
    if not result.cancel() and not result.cancelled():
        result.exception()
