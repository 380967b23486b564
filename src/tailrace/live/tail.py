"""The resident tail of one watched log, and the cursors of those who watch it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import structlog

from tailrace.domain.spans import Span
from tailrace.live.characters import unfinished
from tailrace.live.pieces import PIECE_BYTES, UNKNOWN_SPAN, Piece, cut_pieces

TAIL_BYTES = 1024 * 1024
TAIL_PIECES = 256
"""Behind so many, one read of the log store is cheaper than the pieces one by one."""

FRAME_S = 0.025
"""Small appends within this time become one piece."""


Form = Callable[[Piece], bytes]
"""A wire form: how a piece is told. One that gives the same object each time is made once for all who follow in it."""

_log = structlog.get_logger("hub")


class Sink(Protocol):
    """Where frames go at once; a transport is one. It may call back while it is written to: that it is full."""

    def write(self, data: bytes, /) -> object: ...


class LogView(NamedTuple):
    """What the store knows of a log: the word of its state, its size in bytes, its CRC-32 once that is known."""

    state: str
    size: int
    crc32: int | None = None


class Gap(NamedTuple):
    """The bytes [start, stop) that a slow watcher was not sent."""

    start: int
    stop: int


class End(NamedTuple):
    """The log has ended, and the watcher has all of it."""

    size: int
    state: str


class Survey(NamedTuple):
    """What the log store held at one moment: its end, the last bytes (up to 3), the span in force there."""

    end: int
    last: bytes
    in_force: Span


class ResidentTail:
    """The newest pieces of a log, in memory once for all its watchers.

    [start, end) is in pieces; [end, received) waits for its moment: for the next frame, or for the rest of a character.
    What lies before `start` is in the log store.
    """

    def __init__(self, log: int) -> None:
        self.log = log
        self.start = 0
        self.end: int = 0
        self.received = 0
        self.ended: LogView | None = None
        self.complete = False  # ended, and nothing of it waits
        self.located = False  # what is appended continues `received`
        self.known = False  # it was located once
        self.look_again = False
        self.idle: set[Cursor] = set()
        self.following: dict[Form, set[Cursor]] = {}
        self.watchers = 0
        self.locating: asyncio.Task[None] | None = None
        self.announced = False
        self.unsubscribe: Callable[[], None] | None = None
        self._early: list[tuple[int, Sequence[Span], bytes]] = []
        self._pieces: dict[int, Piece] = {}
        self._order: deque[Piece] = deque()
        self._resident = 0
        self._waiting: list[bytes] = []
        self._waiting_spans: list[Span] = []
        self._in_force = UNKNOWN_SPAN
        self._framed_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def place(self, survey: Survey) -> None:
        """Begin anew where the log store ended: bytes that begin a character wait for its rest."""
        held = unfinished(survey.last)
        self._disband()
        self._pieces.clear()
        self._order.clear()
        self._resident = 0
        self.start = survey.end - held
        self.end = self.start
        self.received = survey.end
        self._waiting = [survey.last[-held:]] if held else []
        self._waiting_spans = []
        self._in_force = survey.in_force

    def settle(self) -> bool:
        """Take what came while the place was looked for; False when bytes are missing in between."""
        self.located = True
        early, self._early = self._early, []
        for place, appended in enumerate(early):
            if not self.grew(*appended):
                self._early = early[place:]
                return False
        if self.ended is not None:
            self._finish()
        return True

    def lose_place(self) -> None:
        """Keep what comes until the place is found again."""
        self.located = False

    def grew(self, offset: int, spans: Sequence[Span], data: bytes) -> bool:
        """Take appended bytes; False when those before them are missing. What is there already is not taken twice."""
        if not self.located:
            self._early.append((offset, spans, data))
            return True
        if offset > self.received:
            return False
        if offset < self.received:
            data = data[self.received - offset :]
            spans = [span for span in spans if span.offset >= self.received]
        if not data:
            return True
        self._waiting.append(data)
        self._waiting_spans.extend(spans)
        self.received += len(data)
        loop = asyncio.get_running_loop()
        due = self._framed_at + FRAME_S - loop.time()
        if due <= 0 or self.received - self.end >= PIECE_BYTES:
            self._frame()
        elif self._timer is None:
            self._timer = loop.call_later(due, self._frame)
        return True

    def end_at(self, view: LogView) -> bool:
        """The log has ended; False when bytes of it have not been seen here."""
        self.ended = view
        if not self.located or self.received < view.size:
            return False
        self._finish()
        return True

    def piece_at(self, offset: int) -> Piece | None:
        """The piece that begins at `offset`, if it is resident."""
        return self._pieces.get(offset)

    def piece_around(self, offset: int) -> Piece:
        """The resident piece in which `offset` lies; start <= offset < end."""
        return next(piece for piece in reversed(self._order) if piece.offset <= offset)

    @property
    def newest(self) -> int:
        """Where the newest piece begins: the place of one who wants what happens now."""
        return self._order[-1].offset if self._order else self.end

    def close(self) -> None:
        """Nobody watches any more."""
        if self._timer is not None:
            self._timer.cancel()
        if self.locating is not None:
            self.locating.cancel()
        if self.unsubscribe is not None:
            self.unsubscribe()

    def wake(self) -> None:
        """Wake the cursors that wait for more."""
        idle, self.idle = self.idle, set()
        for cursor in idle:
            try:
                cursor.wake()
            except Exception:
                _log.exception("a watcher failed as its log grew", log=self.log)

    def _finish(self) -> None:
        self.complete = True
        self._frame()
        self._disband()
        self.wake()

    def _disband(self) -> None:
        """Who followed has something else to look at than the next piece."""
        for group in self.following.values():
            for cursor in group:
                cursor.sink = None
            self.idle |= group
        self.following.clear()

    def _tell(self, piece: Piece) -> None:
        """Write a piece to all who follow: the hot loop of the whole system, so nothing in it is done per watcher that can
        be done per piece."""
        before, after = piece.offset, piece.next
        for form, group in tuple(self.following.items()):
            data = form(piece)
            for cursor in tuple(group):  # one whose sink is full leaves while it is written to
                sink = cursor.sink
                if sink is None or cursor.offset != before:
                    continue
                cursor.offset = after
                try:
                    sink.write(data)
                except Exception:
                    _log.exception("a watcher could not be written to", log=self.log)

    def _frame(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        data = self._waiting[0] if len(self._waiting) == 1 else b"".join(self._waiting)
        held = 0 if self.complete else unfinished(data[-3:])
        stop = self.received - held
        if stop == self.end:
            return
        self._framed_at = asyncio.get_running_loop().time()
        spans = [span for span in self._waiting_spans if span.offset < stop]
        self._waiting_spans = self._waiting_spans[len(spans) :]
        if not spans or spans[0].offset > self.end:
            spans.insert(0, self._in_force._replace(offset=self.end))
        self._in_force = spans[-1]
        self._waiting = [data[-held:]] if held else []
        pieces = cut_pieces(self.log, self.end, data[:-held] if held else data, spans)
        for piece in pieces:
            self._pieces[piece.offset] = piece
            self._order.append(piece)
            self._resident += len(piece.data)
        self.end = stop
        while len(self._order) > 1 and (self._resident > TAIL_BYTES or len(self._order) > TAIL_PIECES):
            oldest = self._order.popleft()
            del self._pieces[oldest.offset]
            self._resident -= len(oldest.data)
            self.start = oldest.next
        if self.following:
            for piece in pieces:
                self._tell(piece)
        self.wake()


class Cursor:
    """Where one watcher stands in a log. It has no queue: what it is owed is in the tail or in the log store.

    `wake` is called once after `take` returned None for want of bytes, when there are more. `skips`: a watcher that had
    kept up and has fallen out of the resident tail goes to the newest piece and is told the gap; others are behind until
    they have read all.
    """

    __slots__ = ("_form", "_kept_up", "_skips", "offset", "sink", "tail", "wake")

    def __init__(self, tail: ResidentTail, offset: int, wake: Callable[[], None], skips: bool) -> None:
        self.tail = tail
        self.offset = offset
        self.wake = wake
        self.sink: Sink | None = None
        self._form: Form | None = None
        self._skips = skips
        self._kept_up = False

    @property
    def behind(self) -> bool:
        """Whether what comes next is no piece as the tail holds them, and must be fetched from the hub."""
        return self.offset < self.tail.end

    def take(self) -> Piece | Gap | End | None:
        """What comes next, if it can be had at once; it then counts as sent."""
        tail, offset = self.tail, self.offset
        piece = tail.piece_at(offset)
        if piece is not None:
            self.offset = piece.next
            return piece
        if offset < tail.start and self._skips and self._kept_up:
            self.offset = tail.newest
            return Gap(offset, self.offset)
        if offset < tail.end:
            return None
        if tail.complete and tail.ended is not None:
            return End(tail.ended.size, tail.ended.state)
        self._kept_up = True
        tail.idle.add(self)
        return None

    def follow(self, sink: Sink, form: Form) -> None:
        """After `take` returned None for want of bytes: write what comes to `sink`, in the turn in which it came.

        Until `pause`, or until something else than a piece is to be taken: then `wake` is called. One that waits for bytes
        beyond the log's end only waits.
        """
        tail = self.tail
        if self in tail.idle and self.offset == tail.end:
            tail.idle.discard(self)
            self.sink, self._form = sink, form
            tail.following.setdefault(form, set()).add(self)

    def pause(self) -> bool:
        """Neither follow nor wait for a wake any more; whether it did either. What comes is there to be taken."""
        tail = self.tail
        if self in tail.idle:
            tail.idle.discard(self)
            return True
        if self.sink is None or self._form is None:
            return False
        self.sink = None
        group = tail.following[self._form]
        group.discard(self)
        if not group:
            del tail.following[self._form]
        return True
