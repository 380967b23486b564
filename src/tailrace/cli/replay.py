"""Plays logs with the timing that they had."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable

from tailrace.cli.stretches import Piece


class Timeline:
    """When to show what was written when: `speed` times as fast, and no pause longer than `max_pause_s` (before that).

    Time that runs backwards, as after a machine's clock was set, is no pause.
    """

    def __init__(self, speed: float, max_pause_s: float | None) -> None:
        self._speed = speed
        self._max_pause_s = max_pause_s
        self._last: int | None = None
        self._due = 0.0

    def due(self, time_ms: int) -> float:
        """Seconds after the first one at which to show what was written at `time_ms`; to be asked in the log's order."""
        pause = 0.0 if self._last is None else max(time_ms - self._last, 0) / 1000
        if self._max_pause_s is not None:
            pause = min(pause, self._max_pause_s)
        self._last = time_ms
        self._due += pause / self._speed
        return self._due


def play(
    logs: Iterable[Iterable[Piece]],
    show: Callable[[Piece], None],
    timeline: Timeline,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Show the pieces of all logs together, each when it is due; late ones at once.

    A log's own order stays, whatever its times say.
    """
    begun: float | None = None
    for _, piece in heapq.merge(*(_in_order(pieces) for pieces in logs), key=lambda timed: timed[0]):
        begun = clock() if begun is None else begun
        wait = begun + timeline.due(piece.time) - clock()
        if wait > 0:
            sleep(wait)
        show(piece)


def _in_order(pieces: Iterable[Piece]) -> Iterable[tuple[int, Piece]]:
    latest = 0
    for piece in pieces:
        latest = max(latest, piece.time)
        yield latest, piece
