"""Output: from the pipes of a step's processes into the spool, as soon as there is something."""

from __future__ import annotations

import asyncio
import errno
import os
import time
from collections.abc import Callable
from contextlib import suppress
from fcntl import F_SETPIPE_SZ, fcntl
from pathlib import Path

from tailrace.domain.spans import Stream
from tailrace.runner.characters import unfinished
from tailrace.runner.full_disk import FullDisk
from tailrace.runner.limit import LogLimit
from tailrace.runner.masking import MaskedStream, Masker
from tailrace.runner.spool import SpoolWriter
from tailrace.runner.wake import Wake

READ_BYTES = 256 * 1024
"""At once, and what a pipe may hold where the system allows it: a process that pours is interrupted less often."""
HOLD_S = 0.1
"""How long the beginning of a character, or what may begin a secret, waits for its rest."""
RETRY_S = 0.2
"""How often a full disk is tried again."""
TAIL_BYTES = 2048
FULL = (errno.ENOSPC, errno.EDQUOT)


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class Output:
    """Everything that an attempt says: its processes' bytes and Tailrace's own lines. Wakes the agent for each.

    `masker` hides secrets in Tailrace's lines; pipes mask what they read with a stream of it, before `write`. `limit` holds for
    the processes' bytes alone: what Tailrace has to say goes in beyond it. `disk` is told for how long there is no room.
    """

    def __init__(
        self,
        spool: SpoolWriter,
        wake: Wake,
        masker: Masker,
        limit: LogLimit | None = None,
        disk: FullDisk | None = None,
    ) -> None:
        self._spool = spool
        self._disk = disk
        self._masker = masker
        self._seam = masker.seam() if masker else None
        self._wake = wake
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._room: list[Callable[[], None]] = []
        self.heard_at = 0.0
        """When a process last printed something, on the loop's clock (s)."""

    def write(self, stream: Stream, step: int, data: bytes) -> None:
        """Append bytes of a process, masked, as far as the log may have them."""
        limit = self._limit
        if limit is None:
            self._append(stream, step, data)
            return
        reached = limit.reached
        self._append(stream, step, limit.take(self._spool.size, data))
        if limit.reached and not reached:
            self.say(step, limit.beginning)

    def say(self, step: int, text: str) -> None:
        """Append a line of Tailrace's own, on a line of its own."""
        begin = "" if self._spool.at_line_start else "\n"
        text = self._masker.text(text)
        self._append(Stream.SYSTEM, step, f"{begin}tailrace: {text}\n".encode("utf-8", "replace"))

    def say_dropped(self, step: int) -> None:
        """Say how many bytes were not kept, if any."""
        if self._limit is not None and self._limit.dropped:
            self.say(step, self._limit.total)

    @property
    def dropped(self) -> int:
        """Bytes that were not kept, because the log had its limit."""
        return self._limit.dropped if self._limit else 0

    def masked_stream(self) -> MaskedStream | None:
        """What masks the bytes of one pipe; None where there is nothing to mask."""
        return self._masker.stream() if self._masker else None

    @property
    def full(self) -> bool:
        """Whether the disk has no room: nothing more must be read from a pipe."""
        return self._spool.pending

    def when_room(self, resume: Callable[[], None]) -> None:
        """Call `resume` when the disk has room again."""
        if not self._room:
            self._loop.call_later(RETRY_S, self._retry)
            self.tell_stalled(self._spool.trouble)
        self._room.append(resume)

    def tell_stalled(self, error: OSError | None) -> None:
        """Tell the agent why nothing can be written; to be told again as long as it is so."""
        host = os.uname().nodename
        if error is None or error.errno in FULL:
            why = f"the disk of {host} is full: the job waits until there is room"
            if self._disk is not None:
                self._disk.no_room()
        else:
            why = f"{host} cannot write the job's output, which waits: {error}"
        self._wake.stall(why)

    def tell_going_on(self) -> None:
        """Tell that what stood still is written again."""
        self._wake.stall(None)
        if self._disk is not None:
            self._disk.room()

    async def settled(self) -> None:
        """Wait until everything that was said is in the file; raises OSError when the disk has another fault than no room."""
        while not self._spool.flush():
            if self._spool.trouble is not None and self._spool.trouble.errno not in FULL:
                raise self._spool.trouble
            self.tell_stalled(self._spool.trouble)
            await asyncio.sleep(RETRY_S)

    def _append(self, stream: Stream, step: int, data: bytes) -> None:
        if not data:
            return
        if self._seam is not None:
            data = self._seam.join(data)
        self._spool.write(now_ms(), stream, step, data)
        if self._spool.pending and not self._room:
            self.when_room(lambda: None)
        self._wake.touch()

    def _retry(self) -> None:
        if not self._spool.flush():
            self._loop.call_later(RETRY_S, self._retry)
            self.tell_stalled(self._spool.trouble)
            return
        self.tell_going_on()
        waiting, self._room = self._room, []
        for resume in waiting:
            resume()


class Pipe:
    """Reads one pipe into the output until its last writer has closed it.

    `ended` is done then. `writer` is the end for the process, and `file` its name in `/proc/PID/fd`; `tail` keeps the last bytes
    that were read, masked. `ends` are a reading and a writing end where it is to be something else than a pipe: a terminal.
    """

    def __init__(
        self, output: Output, stream: Stream, step: int, ends: tuple[int, int] | None = None
    ) -> None:
        self._output = output
        self._stream = stream
        self._step = step
        self._loop = asyncio.get_running_loop()
        self._reader, self.writer = ends or os.pipe2(os.O_CLOEXEC)
        self.file = str(Path(f"/proc/self/fd/{self.writer}").readlink())
        os.set_blocking(self._reader, False)
        with suppress(OSError):  # this user's pipes have no more room together
            fcntl(self._reader, F_SETPIPE_SZ, READ_BYTES)
        self._masked = output.masked_stream()
        self._held = b""
        self._hold: asyncio.TimerHandle | None = None
        self.tail = b""
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(self._reader, self._readable)

    def hand_over(self) -> None:
        """Close our copy of the process's end."""
        if self.writer >= 0:
            os.close(self.writer)
            self.writer = -1

    def close(self) -> None:
        """Stop reading, whoever still writes."""
        self.hand_over()
        if not self.ended.done():
            self._loop.remove_reader(self._reader)
            self._release()
            if self._masked is not None:
                self._write(self._masked.end())
            os.close(self._reader)
            self.ended.set_result(None)

    def _readable(self) -> None:
        try:
            data = os.read(self._reader, READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            data = b""  # so a terminal says that its last writer has closed it
        if not data:
            self.close()
            return
        self._output.heard_at = self._loop.time()
        if self._hold is not None:
            self._hold.cancel()
            self._hold = None
        data, self._held = self._held + data, b""
        rest = unfinished(data)
        if rest:
            data, self._held = data[:-rest], data[-rest:]
        if self._masked is not None:
            data = self._masked.feed(data)
        self._write(data)
        if rest or (self._masked is not None and self._masked.loose):
            self._hold = self._loop.call_later(HOLD_S, self._release)
        if self._output.full:
            self._loop.remove_reader(self._reader)
            self._output.when_room(self._resume)

    def _resume(self) -> None:
        if not self.ended.done():
            self._loop.add_reader(self._reader, self._readable)

    def _release(self) -> None:
        """Give up waiting for the rest of a character, or of what may begin a secret."""
        if self._hold is not None:
            self._hold.cancel()
            self._hold = None
        held, self._held = self._held, b""
        if self._masked is not None:
            held = self._masked.feed(held) + self._masked.settle()
        self._write(held)

    def _write(self, data: bytes) -> None:
        if data:
            self.tail = (self.tail + data)[-TAIL_BYTES:]
            self._output.write(self._stream, self._step, data)
