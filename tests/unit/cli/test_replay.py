"""Replays: when each piece is due, decided without a clock."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tailrace.cli.replay import Timeline, play
from tailrace.cli.stretches import Piece
from tailrace.domain.spans import Stream


def piece(time: int, data: bytes = b"x", log: int = 1) -> Piece:
    return Piece(log, 0, time, Stream.STDOUT, 0, data)


class Clock:
    """Time that passes only when somebody sleeps, or says that showing took long."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.now += seconds


@pytest.mark.parametrize(
    ("speed", "max_pause", "due"),
    [
        (1, None, [0, 0.5, 0.5, 10.5, 10.5, 10.6]),
        (2, None, [0, 0.25, 0.25, 5.25, 5.25, 5.3]),
        (1, 2, [0, 0.5, 0.5, 2.5, 2.5, 2.6]),
        (4, 2, [0, 0.125, 0.125, 0.625, 0.625, 0.65]),
        (1, 0, [0, 0, 0, 0, 0, 0]),
    ],
)
def test_when_each_is_due(speed: float, max_pause: float | None, due: list[float]) -> None:
    """Pauses are shortened before they are sped up; a clock that was set back is no pause."""
    timeline = Timeline(speed, max_pause)
    times = [1_000_000, 1_000_500, 1_000_500, 1_010_500, 1_010_400, 1_010_500]
    assert [timeline.due(time) for time in times] == pytest.approx(due)


def test_pieces_of_several_logs_come_in_the_order_of_time() -> None:
    """And each log's own order stays."""
    clock, shown = Clock(), list[bytes]()
    logs = [
        [piece(1000, b"a"), piece(3000, b"b"), piece(2000, b"c")],
        [piece(2000, b"d", 2), piece(2500, b"e", 2), piece(9000, b"f", 2)],
    ]
    play(
        logs,
        lambda shown_piece: shown.append(shown_piece.data),
        Timeline(1, 2),
        clock=lambda: clock.now,
        sleep=clock.sleep,
    )
    assert b"".join(shown) == b"adebcf"
    assert sum(clock.slept) == pytest.approx(1 + 0.5 + 0.5 + 0 + 2)


def test_what_is_late_is_shown_at_once() -> None:
    """Showing takes time; the replay catches up, and does not drift."""
    clock, shown = Clock(), list[float]()

    def show(_: Piece) -> None:
        shown.append(clock.now - 100)
        clock.now += 0.3

    play(
        [[piece(time) for time in (0, 100, 200, 2000)]],
        show,
        Timeline(1, None),
        clock=lambda: clock.now,
        sleep=clock.sleep,
    )
    assert shown == pytest.approx([0, 0.3, 0.6, 2.0])


def test_a_log_is_read_as_it_is_played() -> None:
    """A long log takes no more memory than a short one."""
    read = 0

    def pieces() -> Iterator[Piece]:
        nonlocal read
        for time in range(1000):
            read += 1
            yield piece(time)

    seen: list[int] = []
    play([pieces()], lambda _: seen.append(read), Timeline(1, 0), clock=lambda: 0.0)
    assert all(read <= shown + 2 for shown, read in enumerate(seen))
