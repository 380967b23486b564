"""Pieces of a log as watchers get them: cut once, encoded once per wire form, shared by all."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from tailrace.domain.spans import Span, Stream, spans_within
from tailrace.live.characters import unfinished, utf16_units
from tailrace.live.websocket import text_frame

PIECE_BYTES = 128 * 1024
"""The largest piece, in bytes of the log; JSON may need six characters for a byte, and clients take 1 MiB a message."""

UNKNOWN_SPAN = Span(0, 0, Stream.STDOUT, 0)
"""In force where nothing is known of where the bytes came from."""


class Piece:
    """The bytes [offset, next) of a log; `spans` tell where they came from, the first begins at `offset`."""

    __slots__ = ("_live", "_sse", "data", "log", "next", "offset", "spans")

    def __init__(self, log: int, offset: int, data: bytes, spans: Sequence[Span]) -> None:
        self.log = log
        self.offset = offset
        self.next = offset + len(data)
        self.data = data
        self.spans = spans
        self._sse: bytes | None = None
        self._live: bytes | None = None

    def sse(self) -> bytes:
        """As server-sent events, one for each span; an event's id is the offset of the byte after it."""
        if self._sse is None:
            texts = self._texts()
            stops = [span.offset for span, _ in texts[1:]] + [self.next]
            self._sse = b"".join(
                b"id: %d\nevent: chunk\ndata: %b\n\n" % (stop, _event(span, text))
                for (span, text), stop in zip(texts, stops, strict=True)
            )
        return self._sse

    def live(self) -> bytes:
        """As a message of `/api/live`, in its WebSocket frame."""
        if self._live is None:
            spans: list[tuple[int, int, str, int, int]] = []
            index = 0
            texts = self._texts()
            for span, text in texts:
                spans.append((span.offset, span.time, span.stream.word, span.step, index))
                index += utf16_units(text)
            chunk = {
                "offset": self.offset,
                "next": self.next,
                "spans": spans,
                "text": "".join(text for _, text in texts),
            }
            self._live = text_frame(orjson.dumps({"topic": f"log/{self.log}", "chunk": chunk}))
        return self._live

    def from_offset(self, offset: int) -> Piece:
        """What is left of it from `offset` on, which lies within it."""
        return Piece(
            self.log, offset, self.data[offset - self.offset :], spans_within(self.spans, offset, self.next)
        )

    def _texts(self) -> list[tuple[Span, str]]:
        """Each span with its text; a span that begins inside a character begins with that character."""
        data, base = self.data, self.offset
        cuts: list[tuple[Span, int]] = []
        for span in self.spans:
            at = span.offset - base
            if at and data[at] & 0xC0 == 0x80:
                at -= unfinished(data[max(at - 3, 0) : at])
            while cuts and cuts[-1][1] >= at:
                cuts.pop()
            cuts.append((span if at == span.offset - base else span._replace(offset=base + at), at))
        stops = [at for _, at in cuts[1:]] + [len(data)]
        return [
            (span, data[at:stop].decode("utf-8", "replace"))
            for (span, at), stop in zip(cuts, stops, strict=True)
        ]


def cut_pieces(log: int, offset: int, data: bytes, spans: Sequence[Span]) -> list[Piece]:
    """`data` as pieces that are no larger than PIECE_BYTES and cut no character; `spans` cover it from its first byte on."""
    if len(data) <= PIECE_BYTES:
        return [Piece(log, offset, data, spans)] if data else []
    pieces: list[Piece] = []
    start = 0
    while start < len(data):
        stop = min(start + PIECE_BYTES, len(data))
        if stop < len(data):
            stop -= unfinished(data[stop - 3 : stop])
        within = spans_within(spans, offset + start, offset + stop)
        pieces.append(Piece(log, offset + start, data[start:stop], within))
        start = stop
    return pieces


def _event(span: Span, text: str) -> bytes:
    return orjson.dumps(
        {
            "offset": span.offset,
            "time": span.time,
            "stream": span.stream.word,
            "step": span.step,
            "text": text,
        }
    )
