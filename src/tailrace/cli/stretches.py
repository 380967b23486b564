"""Stretches of logs as commands handle them: exact bytes at their offsets, and where they came from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from tailrace.domain.spans import STREAMS_BY_WORD, Span, Stream, spans_within


class Piece(NamedTuple):
    """Bytes of a log that came from one stream and step at one time (ms since the epoch)."""

    log: int
    offset: int
    time: int
    stream: Stream
    step: int
    data: bytes


class Stretch(NamedTuple):
    """The bytes of a log from `offset` on; `spans` cover them, and the first begins at `offset`."""

    log: int
    offset: int
    data: bytes
    spans: Sequence[Span]

    @property
    def next(self) -> int:
        return self.offset + len(self.data)

    def after(self, offset: int) -> Stretch:
        """What is left of it from `offset` on."""
        if offset <= self.offset:
            return self
        spans = spans_within(self.spans, offset, self.next)
        return Stretch(self.log, offset, self.data[offset - self.offset :], spans)

    def pieces(self) -> Iterator[Piece]:
        stops = [span.offset for span in self.spans[1:]] + [self.next]
        for span, stop in zip(self.spans, stops, strict=True):
            data = self.data[span.offset - self.offset : stop - self.offset]
            if data:
                yield Piece(self.log, span.offset, span.time, span.stream, span.step, data)


def read_spans(items: Sequence[Sequence[Any]]) -> list[Span]:
    """Spans as the API writes them: `[offset, time in ms, stream, step, …]`."""
    return [Span(item[0], item[1], STREAMS_BY_WORD[item[2]], item[3]) for item in items]


def read_chunk(log: int, chunk: dict[str, Any]) -> Stretch | None:
    """A chunk of `/api/live`; None when its text does not tell which bytes it stands for: they were not all UTF-8."""
    data = str(chunk["text"]).encode("utf-8", "surrogatepass")
    if len(data) != chunk["next"] - chunk["offset"] or b"\xef\xbf\xbd" in data:
        return None
    return Stretch(log, chunk["offset"], data, read_spans(chunk["spans"]))
