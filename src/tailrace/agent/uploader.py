"""What goes up next: decisions about log bytes on one connection, without a socket and without a clock of their own."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from tailrace.domain.spans import Span
from tailrace.domain.wire import MAX_CHUNK_BYTES, MAX_CHUNK_SPANS, WINDOW_BYTES, pack_chunk

WATCHED_S = 0.05
"""While somebody watches, small pieces are at least this far apart: later, and a person notices; earlier, and it only costs."""
UNWATCHED_S = 2.0
BACKLOG_BYTES = 128 * 1024
"""So much waiting goes at once, watched or not: it is no small piece."""


class Spool(Protocol):
    """The bytes of a log, as far as its runner has written them."""

    def size(self) -> int:
        """Bytes there are now."""
        ...

    @property
    def freed(self) -> int:
        """Bytes at the beginning that are not there any more."""
        ...

    def read(self, offset: int, max_bytes: int, max_spans: int) -> tuple[list[Span], bytes]:
        """Bytes from `offset` on and the spans that begin within them."""
        ...


class Upload:
    """One log on one connection. All positions are byte offsets.

    `received` is what the server is known to have, `sent` is where the next chunk begins, `size` is how much the spool is known
    to hold, `final` is the log's size once its runner has finished. `closing` tells that the server was asked to close it.
    `durable` is what the server will not lose. `gap` is where the server stands and where what can still be sent begins, while the
    server has not been told that what lies between will not come. Nothing is sent before `hold_until`.
    """

    def __init__(self, log: int, spool: Spool, end: int) -> None:
        self.log = log
        self.spool = spool
        self.size = spool.size()
        self.durable = 0
        self.hold_until = 0.0
        self.final: int | None = None
        self.rewound_from_close = False
        self._flights: deque[int] = deque()  # where each unacknowledged chunk begins
        self._sent_at: float | None = None
        self._stand_at(end)

    @property
    def in_flight(self) -> int:
        """Bytes sent and not acknowledged."""
        return self.sent - self.received

    @property
    def waiting(self) -> int:
        """Bytes not sent."""
        return max(self.size - self.sent, 0)

    @property
    def whole(self) -> bool:
        """Whether the server has all that there will be."""
        return self.final is not None and self.received >= self.final

    def grew(self, size: int, final: int | None) -> None:
        """The spool holds this much; `final`: and that is all."""
        self.size = size
        self.final = final

    def acknowledge(self, received: int, durable: int = 0) -> None:
        """The server has this much; it may say less later, when it tells what is durable, but nothing beyond what was sent."""
        self.durable = max(self.durable, min(durable, self.sent))
        self.received = max(self.received, min(received, self.sent))
        while self._flights and self._flights[0] < self.received:
            self._flights.popleft()

    def rewind(self, end: int) -> None:
        """The server's log ends at `end`: the next chunk that it takes begins there.

        Every chunk behind a refused one is refused too, each with its own answer. One that begins at `end` is on its way then:
        to send it again for each answer would have all of those refused, and so on for ever.
        """
        if end in self._flights:
            while self._flights[0] < end:
                self._flights.popleft()
            self.received = end
            return
        self.rewound_from_close |= self.closing
        self._stand_at(end)

    def refuse(self, end: int, until: float) -> None:
        """The server's log ends at `end` and takes nothing before `until` (seconds)."""
        self.hold_until = until
        self._stand_at(end)

    def lose(self) -> None:
        """What was to be sent next has been freed."""
        self._stand_at(self.sent)

    def due(self, watched: bool) -> float | None:
        """When the next chunk should go, in seconds of the clock of `sent_chunk`; None while there is nothing to wait for."""
        if not self.waiting or self.gap is not None:
            return None
        due = self._due(watched)
        return None if due is None else max(due, self.hold_until)

    def _due(self, watched: bool) -> float | None:
        if self._sent_at is None or self.final is not None or self.waiting >= BACKLOG_BYTES:
            return 0.0
        if not watched:
            return self._sent_at + UNWATCHED_S
        return None if self.in_flight else self._sent_at + WATCHED_S

    def sent_chunk(self, length: int, now: float) -> None:
        """A chunk of this length went out at `now` (seconds)."""
        self._flights.append(self.sent)
        self.sent += length
        self.size = max(self.size, self.sent)
        self._sent_at = now

    def _stand_at(self, end: int) -> None:
        begin = max(end, self.spool.freed)
        self.gap = (end, begin) if begin > end else None
        self.sent = self.received = begin
        self.durable = min(self.durable, end)
        self.closing = False
        self._flights.clear()


class Uploader:
    """All logs on one connection: they take turns, and together have at most `window` unacknowledged bytes on the way."""

    def __init__(self, window: int = WINDOW_BYTES) -> None:
        self._window = window
        self._uploads: dict[int, Upload] = {}
        self._turns: deque[Upload] = deque()
        self._watched: set[int] = set()

    def add(self, log: int, spool: Spool, end: int) -> Upload:
        """Upload a log from `end` on; replaces what was known of it on this connection."""
        self.remove(log)
        upload = self._uploads[log] = Upload(log, spool, end)
        self._turns.append(upload)
        return upload

    def remove(self, log: int) -> None:
        """Send nothing more of this log."""
        upload = self._uploads.pop(log, None)
        if upload is not None:
            self._turns.remove(upload)

    def get(self, log: int) -> Upload | None:
        return self._uploads.get(log)

    def watch(self, log: int, watched: bool) -> None:
        """Somebody watches the log now, or nobody does; may be said before the log is added."""
        (self._watched.add if watched else self._watched.discard)(log)

    @property
    def in_flight(self) -> int:
        """Unacknowledged bytes of all logs."""
        return sum(upload.in_flight for upload in self._turns)

    def next_chunk(self, now: float) -> bytes | None:
        """The frame to send at `now` (seconds), counted as sent; None when nothing is due."""
        room = self._window - self.in_flight
        for _ in range(len(self._turns)):
            upload = self._turns[0]
            self._turns.rotate(-1)
            due = upload.due(upload.log in self._watched)
            if due is None or due > now or not _fits(upload, room):
                continue
            spans, data = upload.spool.read(upload.sent, min(room, MAX_CHUNK_BYTES), MAX_CHUNK_SPANS)
            if upload.spool.freed > upload.sent:  # and so what was read may be zeros
                upload.lose()
                continue
            if not data:
                upload.size = upload.sent
                continue
            frame = pack_chunk(upload.log, upload.sent, spans, data)
            upload.sent_chunk(len(data), now)
            return frame
        return None

    def next_due(self) -> float | None:
        """When to ask again; None: not before an acknowledgement, or until a spool has grown."""
        room = self._window - self.in_flight
        dues = (upload.due(upload.log in self._watched) for upload in self._turns if _fits(upload, room))
        return min((due for due in dues if due is not None), default=None)


def _fits(upload: Upload, room: int) -> bool:
    """Whether a decent chunk fits: a nearly full window is no reason to send slivers."""
    return room >= min(upload.waiting, MAX_CHUNK_BYTES)
