"""Lines of logs, put together from pieces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tailrace.cli.stretches import Piece
from tailrace.domain.spans import Stream

MOST_BYTES = 1024 * 1024
"""A longer line is shown in parts, so that what has no newline takes no more memory than this."""


class Line(NamedTuple):
    """A line without its newline; where it began, when, and in which step."""

    log: int
    offset: int
    time: int
    stream: Stream
    step: int
    text: bytes


class _Torn:
    """A line whose end has not come."""

    __slots__ = ("begun", "parts", "size")

    def __init__(self, begun: Piece) -> None:
        self.begun = begun
        self.parts: list[bytes] = []
        self.size = 0

    def add(self, data: bytes) -> None:
        self.parts.append(data)
        self.size += len(data)

    def line(self) -> Line:
        log, offset, time, stream, step, _ = self.begun
        return Line(log, offset, time, stream, step, b"".join(self.parts))


class Lines:
    """The streams of a log each have lines of their own: what one writes into the midst of the other's line does not cut it."""

    def __init__(self) -> None:
        self._torn: dict[tuple[int, Stream], _Torn] = {}

    def take(self, piece: Piece) -> Iterator[Line]:
        """The lines that end in this piece."""
        key = (piece.log, piece.stream)
        offset = piece.offset
        *ended, rest = piece.data.split(b"\n")
        for data in ended:
            yield self._line(key, piece, offset, data)
            offset += len(data) + 1
        if rest:
            torn = self._torn.setdefault(key, _Torn(piece._replace(offset=offset)))
            torn.add(rest)
            if torn.size >= MOST_BYTES:
                yield self._torn.pop(key).line()

    def begun(self, piece: Piece) -> bool:
        """Whether the piece goes on a line that began before it."""
        return (piece.log, piece.stream) in self._torn

    def end(self, log: int) -> Iterator[Line]:
        """The log has ended: its lines that have no end."""
        for key in [key for key in self._torn if key[0] == log]:
            yield self._torn.pop(key).line()

    def _line(self, key: tuple[int, Stream], piece: Piece, offset: int, data: bytes) -> Line:
        torn = self._torn.pop(key, None)
        if torn is None:
            return Line(piece.log, offset, piece.time, piece.stream, piece.step, data)
        torn.add(data)
        return torn.line()
