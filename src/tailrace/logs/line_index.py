"""Where lines and moments are in a log that only grows: what lies before each of its blocks, so that one block is read."""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence

BLOCK_BYTES = 256 * 1024
READ_BYTES = 4 * BLOCK_BYTES
BLOCK_SPANS = 1024


class LineIndex:
    """Newlines before each block of 256 KiB: 4 KiB of memory for each 128 MiB of log.

    Nothing is counted before the first question, which reads the log once; later ones read what was added since, and the
    block in question. `read` gives the bytes [start, stop) of the log. The index begins at `base`, before which the log has
    `lines` newlines. To be asked from any thread.
    """

    def __init__(self, read: Callable[[int, int], bytes], base: int = 0, lines: int = 0) -> None:
        self._read = read
        self._base = base
        self._lines = lines
        self._lock = threading.Lock()  # one counts, the others wait for it rather than count too
        self._before = array("Q", [lines])  # newlines before block n; the last block may still grow

    def offset_of_line(self, line: int, size: int) -> int:
        """Where a line begins, counted from 1, in a log of `size` bytes; `size` where there are not so many.

        A line that begins before the base or at it is said to begin at the base.
        """
        missing = line - 1
        if missing <= self._lines:
            return self._base
        self._extend(size)
        block = bisect_left(self._before, missing) - 1
        start = self._base + block * BLOCK_BYTES
        at = nth_newline(self._read(start, min(start + BLOCK_BYTES, size)), missing - self._before[block])
        return size if at < 0 else start + at + 1

    def line_at(self, offset: int) -> int:
        """One more than the newlines before `offset`, which lies between the base and the log's end."""
        self._extend(offset)
        block = (offset - self._base) // BLOCK_BYTES
        return 1 + self._before[block] + self._read(self._base + block * BLOCK_BYTES, offset).count(b"\n")

    def _extend(self, stop: int) -> None:
        """Count in the blocks that are whole before `stop`."""
        wanted = (stop - self._base) // BLOCK_BYTES
        if len(self._before) > wanted:
            return
        with self._lock:
            while (missing := wanted - len(self._before) + 1) > 0:
                start = self._base + (len(self._before) - 1) * BLOCK_BYTES
                data = self._read(start, start + min(READ_BYTES, missing * BLOCK_BYTES))
                if len(data) < BLOCK_BYTES:
                    raise OSError(f"a log is shorter than the {stop} bytes that were written")
                for at in range(0, len(data) - BLOCK_BYTES + 1, BLOCK_BYTES):
                    self._before.append(self._before[-1] + data.count(b"\n", at, at + BLOCK_BYTES))


class TimeIndex:
    """The latest time in each 1024 spans and all before them.

    Times nearly grow: two streams interleave, and a clock can step back. A moment begins where the first span is whose
    time is not before it, so what follows a step back belongs to the time before it. `read` gives the times of the spans
    [first, last); spans before `first` are not looked at. To be asked from any thread.
    """

    def __init__(self, read: Callable[[int, int], Sequence[int]], first: int = 0) -> None:
        self._read = read
        self._first = first
        self._lock = threading.Lock()
        self._latest = array("q")

    def first_since(self, time_ms: int, count: int) -> int:
        """The index of the first of `count` spans whose time is not before `time_ms`; `count` where there is none."""
        whole = max(count - self._first, 0) // BLOCK_SPANS
        with self._lock:
            while (block := len(self._latest)) < whole:
                start = self._first + block * BLOCK_SPANS
                latest = max(self._read(start, start + BLOCK_SPANS))
                self._latest.append(max(latest, self._latest[-1]) if block else latest)
        start = self._first + min(bisect_left(self._latest, time_ms), whole) * BLOCK_SPANS
        stop = min(start + BLOCK_SPANS, count)
        if start >= stop:
            return count
        return next((start + at for at, time in enumerate(self._read(start, stop)) if time >= time_ms), stop)


def nth_newline(data: bytes, number: int) -> int:
    """Where the newline is that is the `number`-th from 1; -1 where there are not so many."""
    start, stop = 0, len(data)
    while stop - start > 512:
        middle = (start + stop) // 2
        found = data.count(b"\n", start, middle)
        if found >= number:
            stop = middle
        else:
            number -= found
            start = middle
    for _ in range(number):
        start = data.find(b"\n", start) + 1
        if not start:
            return -1
    return start - 1
