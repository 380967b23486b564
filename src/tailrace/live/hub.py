"""Feeds those who watch logs: from memory what is new, from the log store what is older."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

import structlog

from tailrace.domain.errors import Invalid, NotFound
from tailrace.domain.spans import Span
from tailrace.domain.states import LogState
from tailrace.live.bus import Bus
from tailrace.live.characters import MAX_HELD_BYTES, unfinished
from tailrace.live.connections import Connections
from tailrace.live.pieces import PIECE_BYTES, UNKNOWN_SPAN, Piece
from tailrace.live.scopes import log_scope
from tailrace.live.tail import TAIL_BYTES, Cursor, LogView, ResidentTail, Survey
from tailrace.logs.base import LogReader

__all__ = ["Describe", "LogHub", "LogView"]

Describe = Callable[[int], Awaitable[LogView | None]]
"""What the store knows of a log; None when it knows no such log."""

SHARED_PIECES = 32
"""Pieces from the log store that are kept for the next watcher that needs them: at most about 4 MiB of log."""

RETRY_S = 1.0

_log = structlog.get_logger("hub")


class LogHub:
    """One resident tail for each watched log; lives in one event loop, whose thread makes every call.

    A log nobody watches costs nothing. What a watcher needs from before the tail is read in threads, and one reading
    serves all who need the same.
    """

    def __init__(
        self,
        logs: LogReader,
        describe: Describe,
        connections: Connections | None = None,
        bus: Bus | None = None,
    ) -> None:
        self.connections = Connections() if connections is None else connections
        self._bus = bus
        self._logs = logs
        self._describe = describe
        self._tails: dict[int, ResidentTail] = {}
        self._shared: OrderedDict[tuple[int, int], Piece] = OrderedDict()
        self._reading: dict[tuple[int, int], asyncio.Task[Piece]] = {}
        self._listeners: dict[object, Callable[[int, bool], None]] = {}

    def grew(self, log: int, offset: int, spans: Sequence[Span], data: bytes | memoryview) -> None:
        """These bytes were appended: call it after each append, in order."""
        tail = self._tails.get(log)
        if tail is not None and not tail.grew(offset, spans, bytes(data)):
            self._relocate(tail)

    def ended(self, log: int, size: int, state: str) -> None:
        """The log ended with `size` bytes in this state, one of LogState."""
        tail = self._tails.get(log)
        if tail is not None and not tail.end_at(LogView(state, size)):
            self._relocate(tail)

    def resync(self, log: int) -> None:
        """Somebody else may have appended to the log or ended it: look again."""
        tail = self._tails.get(log)
        if tail is not None:
            self._relocate(tail)

    def compare(self, views: Mapping[int, LogView]) -> None:
        """What the store knows of logs that are watched: look again at those of which it knows more than their watchers."""
        for log, view in views.items():
            tail = self._tails.get(log)
            if tail is None or tail.locating is not None:
                continue
            ended = tail.ended is None and view.state != LogState.OPEN
            if ended or view.size > tail.received:
                self._relocate(tail)

    @property
    def logs(self) -> tuple[int, ...]:
        """Those that are watched."""
        return tuple(self._tails)

    def watched(self, log: int) -> bool:
        """Whether anybody watches the log now."""
        return log in self._tails

    def on_watched(self, callback: Callable[[int, bool], None]) -> Callable[[], None]:
        """Call back when an open log gets its first watcher (True) and loses its last (False); returns what ends that."""
        key = object()
        self._listeners[key] = callback

        def stop() -> None:
            self._listeners.pop(key, None)

        return stop

    async def watch(
        self,
        log: int,
        wake: Callable[[], None],
        *,
        start: int = 0,
        lines: int | None = None,
        at: int | None = None,
        skips: bool = False,
    ) -> Cursor:
        """A cursor at byte `start`, or where the last `lines` lines begin, or at what was written at `at` (ms since the
        epoch) or after it; end it with `leave`.

        Raises NotFound for an unknown or removed log, Invalid when the log has ended before `start`.
        """
        tail = self._tails.get(log)
        if tail is None:
            tail = self._tails[log] = ResidentTail(log)
            if self._bus is not None:
                tail.unsubscribe = self._bus.subscribe(log_scope(log), partial(self._woken, tail))
            self._relocate(tail)
        tail.watchers += 1
        cursor = Cursor(tail, start, wake, skips)
        try:
            if tail.locating is not None:
                await asyncio.shield(tail.locating)
            if lines is not None:
                cursor.offset = await asyncio.to_thread(self._offset_of_tail, log, lines)
            elif at is not None:
                cursor.offset = await asyncio.to_thread(self._offset_of_time, log, at)
            ended = tail.ended
            if ended is not None and cursor.offset > ended.size:
                raise Invalid(
                    f"log {log} ended at byte {ended.size}: it cannot be followed from {cursor.offset}"
                )
        except BaseException:
            self.leave(cursor)
            raise
        return cursor

    def leave(self, cursor: Cursor) -> None:
        """This watcher has gone; to be called once."""
        tail = cursor.tail
        cursor.pause()
        tail.watchers -= 1
        if tail.watchers == 0 and self._tails.get(tail.log) is tail:
            del self._tails[tail.log]
            tail.close()
            if tail.announced:
                self._announce(tail, False)

    def fetch_now(self, cursor: Cursor) -> Piece | None:
        """What comes next for a cursor that is behind, if it is in memory; it then counts as sent."""
        tail, offset = cursor.tail, cursor.offset
        piece = self._shared.get((tail.log, offset))
        if piece is None:
            if offset < tail.start:
                return None
            piece = self._share(tail.piece_around(offset).from_offset(offset))
        cursor.offset = piece.next
        return piece

    async def fetch(self, cursor: Cursor) -> Piece:
        """What comes next for a cursor that is behind; it then counts as sent. Raises OSError when it cannot be read."""
        piece = self.fetch_now(cursor)
        if piece is None:
            tail, offset = cursor.tail, cursor.offset
            key = (tail.log, offset)
            reading = self._reading.get(key)
            if reading is None:
                # Cut at the same places for everybody, so that readers from different places meet.
                stop = ((offset + MAX_HELD_BYTES) // PIECE_BYTES + 1) * PIECE_BYTES
                reading = asyncio.create_task(self._read_shared(tail.log, offset, stop, tail.start))
                self._reading[key] = reading
                reading.add_done_callback(lambda _: self._reading.pop(key, None))
            piece = await asyncio.shield(reading)
            cursor.offset = piece.next
        return piece

    async def close(self) -> None:
        """End every stream and every connection at once, each with a hint when to come back."""
        await self.connections.close()

    def _woken(self, tail: ResidentTail, end: int | None) -> None:
        """Another server may have appended to the log, up to this offset."""
        if end is None or end > tail.received:
            self._relocate(tail)

    def _relocate(self, tail: ResidentTail) -> None:
        tail.look_again = True
        if tail.locating is None:
            tail.locating = asyncio.create_task(self._locate(tail))
            tail.locating.add_done_callback(lambda task: self._located(tail, task))

    def _located(self, tail: ResidentTail, task: asyncio.Task[None]) -> None:
        if task.cancelled() or self._tails.get(tail.log) is not tail:
            return
        error = task.exception()
        if error is None:
            tail.locating = None
            return
        if not tail.known:
            return  # the failed task stays: whoever waits for it, or comes before they have left, is told
        _log.error("a log could not be looked at; trying again", log=tail.log, error=str(error))
        asyncio.get_running_loop().call_later(RETRY_S, self._try_again, tail)

    def _try_again(self, tail: ResidentTail) -> None:
        tail.locating = None
        if self._tails.get(tail.log) is tail:
            self._relocate(tail)

    async def _locate(self, tail: ResidentTail) -> None:
        """Find out where the log stands, while what is appended meanwhile is kept; again, if that leaves a hole."""
        while tail.look_again:
            tail.look_again = False
            view = await self._describe(tail.log)
            if view is None or view.state == LogState.REMOVED:
                raise NotFound("log", tail.log)
            known = tail.received if tail.located else None
            missing = None
            if known is not None:
                missing = await asyncio.to_thread(self._missing, tail.log, known)
            if missing is not None and known is not None:
                tail.grew(known, *missing)
            else:
                tail.lose_place()
                tail.place(await asyncio.to_thread(self._survey, tail.log))
            if tail.ended is None and view.state != LogState.OPEN:
                tail.ended = view
            if not tail.look_again:
                tail.look_again = not tail.settle()
        tail.known = True
        if not tail.announced and tail.ended is None:
            tail.announced = True
            self._announce(tail, True)
        tail.wake()

    def _survey(self, log: int) -> Survey:
        try:
            end = self._logs.end(log)
        except NotFound:  # its writer has not begun
            return Survey(0, b"", UNKNOWN_SPAN)
        in_force = self._logs.spans(log, end - 1, end)
        return Survey(
            end,
            self._logs.read(log, end - MAX_HELD_BYTES, end),
            in_force[-1] if in_force else UNKNOWN_SPAN,
        )

    def _missing(self, log: int, known: int) -> tuple[list[Span], bytes] | None:
        """What was appended after `known`; None when it is so much that the tail had better begin anew."""
        try:
            end = self._logs.end(log)
        except NotFound:
            return [], b""
        if end - known > TAIL_BYTES:
            return None
        return self._logs.spans(log, known, end), self._logs.read(log, known, end)

    def _offset_of_tail(self, log: int, lines: int) -> int:
        try:
            return self._logs.offset_of_tail(log, lines)
        except NotFound:
            return 0

    def _offset_of_time(self, log: int, at: int) -> int:
        try:
            return self._logs.offset_of_time(log, at)
        except NotFound:
            return 0

    async def _read_shared(self, log: int, offset: int, stop: int, resident: int) -> Piece:
        piece = await asyncio.to_thread(self._read_piece, log, offset, stop, resident)
        return self._share(piece)

    def _read_piece(self, log: int, offset: int, stop: int, resident: int) -> Piece:
        stop = min(stop, resident)
        data = self._logs.read(log, offset, stop)
        if not data:
            raise OSError(f"log {log}: the bytes from {offset} to {stop} are not held any more")
        if stop < resident:
            data = data[: len(data) - unfinished(data[-3:])]
        spans = self._logs.spans(log, offset, offset + len(data))
        return Piece(log, offset, data, spans or [UNKNOWN_SPAN._replace(offset=offset)])

    def _share(self, piece: Piece) -> Piece:
        self._shared[piece.log, piece.offset] = piece
        if len(self._shared) > SHARED_PIECES:
            self._shared.popitem(last=False)
        return piece

    def _announce(self, tail: ResidentTail, watched: bool) -> None:
        for listener in tuple(self._listeners.values()):
            listener(tail.log, watched)
