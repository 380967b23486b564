"""Lines, put together from pieces that are cut anywhere."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tailrace.cli.log_lines import MOST_BYTES, Line, Lines
from tailrace.cli.stretches import Piece, Stretch, read_chunk
from tailrace.domain.spans import Span, Stream

OUT, ERR = Stream.STDOUT, Stream.STDERR


@given(st.lists(st.tuples(st.sampled_from([OUT, ERR]), st.sampled_from([b"a", b"b\n", b"\n", b"cc\nd"]))))
def test_each_stream_has_its_own_lines(written: list[tuple[Stream, bytes]]) -> None:
    """Joined, they are what the stream wrote; each begins where its offset says."""
    lines, found, offset = Lines(), list[Line](), 0
    for time, (stream, data) in enumerate(written):
        found += lines.take(Piece(1, offset, time, stream, 0, data))
        offset += len(data)
    found += lines.end(1)
    whole = b"".join(data for _, data in written)
    for stream in (OUT, ERR):
        wrote = b"".join(data for of, data in written if of is stream)
        mine = [line for line in found if line.stream is stream]
        assert b"\n".join(line.text for line in mine) == wrote.removesuffix(b"\n")
        for line in mine:
            assert whole[line.offset :].startswith(line.text[:1])


def test_a_line_has_the_time_at_which_it_began() -> None:
    """Not that of its end."""
    lines = Lines()
    assert list(lines.take(Piece(1, 0, 10, OUT, 1, b"wait"))) == []
    assert list(lines.take(Piece(1, 4, 20, OUT, 2, b"ed\nnext"))) == [Line(1, 0, 10, OUT, 1, b"waited")]
    assert list(lines.end(1)) == [Line(1, 7, 20, OUT, 2, b"next")]
    assert list(lines.end(1)) == []


def test_a_line_without_end_is_shown_in_parts() -> None:
    """It does not fill the memory."""
    lines, size = Lines(), 0
    for number in range(64):
        for line in lines.take(Piece(1, number * 65536, 0, OUT, 0, b"x" * 65536)):
            assert len(line.text) == MOST_BYTES
            size += len(line.text)
    assert size == 64 * 65536


def test_a_chunk_is_exact_or_none() -> None:
    """Its text tells the bytes, unless they were not all UTF-8; then they must be fetched."""
    spans = [[10, 5, "stdout", 1, 0], [14, 6, "stderr", 1, 2]]
    chunk = {"offset": 10, "next": 15, "text": "水a!", "spans": spans}
    stretch = Stretch(7, 10, "水a!".encode(), [Span(10, 5, OUT, 1), Span(14, 6, ERR, 1)])
    assert read_chunk(7, chunk) == stretch
    assert [piece.data for piece in stretch.pieces()] == ["水a".encode(), b"!"]
    assert list(stretch.after(13).pieces()) == [
        Piece(7, 13, 5, OUT, 1, b"a"),
        Piece(7, 14, 6, ERR, 1, b"!"),
    ]
    assert read_chunk(7, {**chunk, "text": "\ufffda!"}) is None
    assert read_chunk(7, {**chunk, "text": "\ufffdaaa"}) is None
