"""Pieces and their two wire forms."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from tailrace.domain.spans import Span, Stream, spans_within
from tailrace.live.pieces import PIECE_BYTES, Piece, cut_pieces
from tailrace.live.websocket import payload_of

data_strategy = st.lists(
    st.sampled_from(
        [b"a", b"\n", b"\x1b[0m", "é".encode(), "汉".encode(), "🙂".encode(), b"\xe6", b"\x80", b"\xff"]
    ),
    min_size=1,
    max_size=30,
).map(b"".join)


@st.composite
def pieces(draw: st.DrawFn) -> Piece:
    data = draw(data_strategy)
    offset = draw(st.integers(0, 10**12))
    begins = sorted(draw(st.sets(st.integers(1, max(len(data) - 1, 1)), max_size=6)) - {len(data)})
    spans = [Span(offset + at, at, draw(st.sampled_from(Stream)), at % 3) for at in [0, *begins]]
    return Piece(3, offset, data, spans)


@given(pieces())
def test_the_live_form_is_the_whole_text_with_its_spans(piece: Piece) -> None:
    """The text is the bytes decoded at once; every index is where the bytes before the span end in UTF-16."""
    frame = json.loads(payload_of(piece.live()))
    chunk = frame["chunk"]
    text = piece.data.decode("utf-8", "replace")
    assert frame["topic"] == "log/3"
    assert (chunk["offset"], chunk["next"], chunk["text"]) == (piece.offset, piece.next, text)
    assert chunk["spans"][0][:1] + chunk["spans"][0][4:] == [piece.offset, 0]
    for offset, _, stream, _, index in chunk["spans"]:
        before = piece.data[: offset - piece.offset].decode("utf-8", "replace")
        assert text.startswith(before)
        assert index == len(before.encode("utf-16-le")) // 2
        assert stream in ("stdout", "stderr", "system")


@given(pieces())
def test_a_span_moves_only_to_the_beginning_of_its_character(piece: Piece) -> None:
    """A span that begins between characters is told as it is; one inside a character begins at most 3 bytes earlier."""
    told = {tuple(span[1:4]): span[0] for span in json.loads(payload_of(piece.live()))["chunk"]["spans"]}
    for span in piece.spans:
        offset = told.get((span.time, span.stream.word, span.step))
        if offset is None:
            continue  # no character begins in it
        assert 0 <= span.offset - offset <= 3
        if piece.data[span.offset - piece.offset] & 0xC0 != 0x80:
            assert offset == span.offset


@given(pieces())
def test_the_events_tile_the_piece(piece: Piece) -> None:
    """One for each span, each with the id at which the next begins; their texts, joined, are the whole."""
    texts: list[str] = []
    at = piece.offset
    for event in piece.sse().decode().removesuffix("\n\n").split("\n\n"):
        id, kind, data = event.split("\n")
        said = json.loads(data.removeprefix("data: "))
        assert kind == "event: chunk"
        assert said["offset"] == at
        at = int(id.removeprefix("id: "))
        assert at > said["offset"]
        texts.append(said["text"])
    assert at == piece.next
    assert "".join(texts) == piece.data.decode("utf-8", "replace")


@given(pieces(), st.data())
def test_the_rest_of_a_piece_is_what_lies_behind(piece: Piece, data: st.DataObject) -> None:
    """Bytes and spans from an offset on; the span in force begins it."""
    offset = data.draw(st.integers(piece.offset, piece.next - 1))
    rest = piece.from_offset(offset)
    assert (rest.offset, rest.next) == (offset, piece.next)
    assert rest.data == piece.data[offset - piece.offset :]
    assert rest.spans == spans_within(piece.spans, offset, piece.next)
    assert rest.spans[0].offset == offset


def test_both_forms_are_made_once() -> None:
    """All watchers get the same object."""
    piece = Piece(1, 0, b"x", [Span(0, 0, Stream.STDOUT, 0)])
    assert piece.sse() is piece.sse()
    assert piece.live() is piece.live()


@given(st.integers(0, 3), st.integers(1, 3 * PIECE_BYTES), st.sampled_from(["汉", "🙂", "é", "x"]))
def test_large_data_is_cut_between_characters(shift: int, size: int, character: str) -> None:
    """No piece is larger than allowed, none cuts a character, and together they are the data with its spans."""
    data = b"a" * shift + character.encode() * (size // len(character.encode()))
    spans = [Span(10, 1, Stream.STDOUT, 0)]
    cut = cut_pieces(1, 10, data, spans) if data else []
    assert b"".join(piece.data for piece in cut) == data
    at = 10
    for piece in cut:
        assert piece.offset == at == piece.spans[0].offset
        assert len(piece.data) <= PIECE_BYTES
        piece.data.decode()
        at = piece.next
