from __future__ import annotations

import random
import resource
import shutil
import zlib
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.domain.spans import SPAN_BYTES, Span, Stream, pack_spans
from tailrace.runner.folder import AttemptFolder
from tailrace.runner.spool import MERGE_MS, SpoolReader, SpoolWriter
from tests.support.disk import fill, small_disk
from tests.unit.agent.peer import lease_of

Piece = tuple[int, Stream, int, bytes]
pieces = st.lists(
    st.tuples(st.integers(0, 8), st.sampled_from(Stream), st.integers(0, 2), st.binary(max_size=30)),
    max_size=40,
)


def written(folder: AttemptFolder, *pieces: Piece) -> SpoolWriter:
    writer = SpoolWriter.open(folder)
    for piece in pieces:
        writer.write(*piece)
    return writer


def read_all(folder: AttemptFolder, max_bytes: int, max_spans: int) -> tuple[list[Span], bytes]:
    reader, spans, data = SpoolReader(folder), list[Span](), b""
    while True:
        some, piece = reader.read(len(data), max_bytes, max_spans)
        assert len(some) <= max_spans
        assert len(piece) <= max_bytes
        assert all(len(data) <= span.offset < len(data) + len(piece) for span in some)
        if not piece:
            break
        spans += some
        data += piece
    reader.close()
    return spans, data


@given(pieces=pieces, max_bytes=st.integers(1, 50), max_spans=st.integers(1, 5), reopen=st.integers(0, 40))
def test_spans_tile_the_bytes_however_they_are_written_and_read(
    pieces: list[tuple[int, Stream, int, bytes]], max_bytes: int, max_spans: int, reopen: int
) -> None:
    """Each byte has the stream and step it was written with and a time less than 5 ms before its own."""
    with TemporaryDirectory() as place:
        folder = AttemptFolder(Path(place))
        writer, now, expected = SpoolWriter.open(folder), 1000, list[tuple[int, Stream, int, int]]()
        for count, (later, stream, step, data) in enumerate(pieces):
            if count == reopen:
                writer.close()
                writer = SpoolWriter.open(folder)
            now += later
            writer.write(now, stream, step, data)
            expected += [(byte, stream, step, now) for byte in data]
        spans, data = read_all(folder, max_bytes, max_spans)
        assert data == bytes(byte for byte, *_ in expected)
        assert (writer.size, writer.crc32) == (len(data), zlib.crc32(data))
        writer.close()
    assert all(a.offset < b.offset for a, b in pairwise(spans))
    assert not data or spans[0].offset == 0
    for span, end in zip(spans, [*(span.offset for span in spans[1:]), len(data)], strict=False):
        for _, stream, step, time in expected[span.offset : end]:
            assert (stream, step) == (span.stream, span.step)
            assert 0 <= time - span.time < MERGE_MS


def test_output_within_five_milliseconds_needs_one_span(tmp_path: Path) -> None:
    """Merged: same stream and step, less than 5 ms after the span's beginning; a clock that goes back begins a new span."""
    folder = AttemptFolder(tmp_path)
    out = Stream.STDOUT
    written(folder, (10, out, 0, b"a"), (14, out, 0, b"b"), (15, out, 0, b"c"), (11, out, 0, b"d")).close()
    spans, _ = read_all(folder, 100, 100)
    assert spans == [Span(0, 10, out, 0), Span(2, 15, out, 0), Span(3, 11, out, 0)]


def test_a_reader_begins_anywhere(tmp_path: Path) -> None:
    """A read in the middle gives the spans that begin in it, from the first byte to the last."""
    folder = AttemptFolder(tmp_path)
    written(folder, *((i * 10, Stream.STDOUT, 0, b"ab") for i in range(2000))).close()
    reader = SpoolReader(folder)
    spans, data = reader.read(1001, 4, 100)
    assert (spans, data) == (
        [Span(1002, 5010, Stream.STDOUT, 0), Span(1004, 5020, Stream.STDOUT, 0)],
        b"baba",
    )
    assert reader.read(0, 2, 1)[0] == [Span(0, 0, Stream.STDOUT, 0)]
    assert reader.read(4000, 10, 10) == ([], b"")
    assert reader.read(9999, 10, 10) == ([], b"")


def test_a_writer_that_dies_between_span_and_bytes_leaves_nothing_wrong(tmp_path: Path) -> None:
    """The record of the next writer, at the same offset, wins; a torn record is cut off."""
    folder = AttemptFolder(tmp_path)
    written(folder, (10, Stream.STDOUT, 0, b"abc")).close()
    with folder.spans.open("ab") as spans:
        spans.write(pack_spans([Span(3, 20, Stream.STDERR, 1)]) + b"torn")
    written(folder, (30, Stream.SYSTEM, 2, b"xyz")).close()
    assert read_all(folder, 100, 100) == (
        [Span(0, 10, Stream.STDOUT, 0), Span(3, 30, Stream.SYSTEM, 2)],
        b"abcxyz",
    )
    assert folder.spans.stat().st_size == 3 * SPAN_BYTES


def test_spans_of_bytes_that_never_reached_the_disk_are_dropped(tmp_path: Path) -> None:
    """After a power failure the spool may be shorter than its spans say."""
    folder = AttemptFolder(tmp_path)
    written(
        folder, (10, Stream.STDOUT, 0, b"abc"), (20, Stream.STDERR, 0, b"def"), (30, Stream.STDOUT, 0, b"x")
    ).close()
    with folder.spool.open("r+b") as spool:
        spool.truncate(2)
    written(folder, (40, Stream.SYSTEM, 0, b"!")).close()
    assert read_all(folder, 100, 100) == (
        [Span(0, 10, Stream.STDOUT, 0), Span(2, 40, Stream.SYSTEM, 0)],
        b"ab!",
    )


def test_a_disk_without_room_delays_bytes_and_loses_none(tmp_path: Path) -> None:
    """What was accepted stays pending, in order, until there is room; size and CRC-32 already count it."""
    folder = AttemptFolder(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    writer = SpoolWriter.open(folder)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50, hard))
    try:
        for i in range(5):
            writer.write(i * 10, Stream.STDOUT, 0, b"0123456789abcdefghijklmnopqrstuvwxyz")
        assert writer.pending
        assert not writer.flush()
        assert writer.trouble is not None
        reader = SpoolReader(folder)
        spans, data = reader.read(0, 1000, 100)
        assert data == (b"0123456789abcdefghijklmnopqrstuvwxyz" * 5)[: len(data)]
        assert len(data) <= 50
        assert spans
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert writer.flush()
    assert not writer.pending
    writer.close()
    spans, data = read_all(folder, 1000, 100)
    assert data == b"0123456789abcdefghijklmnopqrstuvwxyz" * 5
    assert [span.offset for span in spans] == [0, 36, 72, 108, 144]
    assert (writer.size, writer.crc32) == (180, zlib.crc32(data))


def test_the_checksum_of_any_beginning(tmp_path: Path) -> None:
    """crc32 answers for a growing and for a smaller part, and for what exists when asked for more."""
    folder = AttemptFolder(tmp_path)
    reader = SpoolReader(folder)
    assert (reader.size(), reader.crc32(0), reader.read(0, 10, 10)) == (0, 0, ([], b""))
    written(folder, (1, Stream.STDOUT, 0, b"hello world")).close()
    assert [reader.crc32(n) for n in (5, 11, 3, 99)] == [
        zlib.crc32(part) for part in (b"hello", b"hello world", b"hel", b"hello world")
    ]


MIB = 1 << 20


def grown(folder: AttemptFolder, size: int) -> bytes:
    """A spool of noise, in pieces of both streams."""
    noise = random.Random(size).randbytes(size)
    pieces = (
        (at // 100, (Stream.STDOUT, Stream.STDERR)[at // 1000 % 2], 0, noise[at : at + 1000])
        for at in range(0, size, 1000)
    )
    written(folder, *pieces).close()
    return noise


def test_what_the_server_holds_is_given_back_to_the_disk(tmp_path: Path) -> None:
    """In whole MiB; what is left reads as before, bytes and spans, and the checksum of all is still known."""
    folder, other = AttemptFolder(tmp_path), AttemptFolder(tmp_path / "other")
    other.path.mkdir()
    size = 5 * MIB + 1234
    noise = grown(folder, size)
    grown(other, size)
    reader, whole = SpoolReader(folder), SpoolReader(other)
    before = folder.spool.stat().st_blocks
    reader.free(3 * MIB + 5)
    assert reader.freed == 3 * MIB
    assert (before - folder.spool.stat().st_blocks) * 512 >= 3 * MIB - 8192
    assert folder.spool.stat().st_size == size
    assert reader.read(3 * MIB, 1 << 30, 1 << 30) == whole.read(3 * MIB, 1 << 30, 1 << 30)
    assert reader.crc32(size) == zlib.crc32(noise)
    reader.free(size)
    assert reader.freed == 5 * MIB
    later = SpoolReader(folder)
    assert (later.freed, later.crc32(size)) == (5 * MIB, zlib.crc32(noise))
    assert later.read(5 * MIB, 1 << 30, 1 << 30) == whole.read(5 * MIB, 1 << 30, 1 << 30)


def test_a_writer_goes_on_with_a_spool_that_was_freed(tmp_path: Path) -> None:
    """The runner died: size and checksum are those of all that was ever written."""
    folder = AttemptFolder(tmp_path)
    noise = grown(folder, 2 * MIB + 7)
    SpoolReader(folder).free(2 * MIB + 7)
    writer = written(folder, (10**9, Stream.SYSTEM, 0, b"the end\n"))
    assert (writer.size, writer.crc32) == (2 * MIB + 15, zlib.crc32(noise + b"the end\n"))
    writer.close()
    reader = SpoolReader(folder)
    assert reader.crc32(writer.size) == writer.crc32
    assert reader.read(2 * MIB + 7, 100, 100)[1] == b"the end\n"


def test_a_file_system_that_cannot_free_keeps_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And can send everything again."""

    def cannot(*_: int) -> bool:
        return False

    monkeypatch.setattr("tailrace.runner.freed.punch", cannot)
    folder = AttemptFolder(tmp_path)
    noise = grown(folder, 2 * MIB)
    reader = SpoolReader(folder)
    assert not reader.free(2 * MIB)
    assert reader.freed == 0
    assert reader.read(0, 1 << 30, 1 << 30)[1] == noise


def test_a_spool_can_be_freed_on_a_full_disk(tmp_path: Path) -> None:
    """That is when it is needed: the mark's room was taken when the folder was made."""
    with small_disk(8 * MIB) as disk:
        lease = lease_of(1, "true")
        folder = AttemptFolder.create(disk / "attempts", lease)
        grown(folder, 3 * MIB)
        fill(disk)
        assert shutil.disk_usage(disk).free == 0
        reader = SpoolReader(folder)
        reader.free(3 * MIB)
        assert reader.freed == 2 * MIB
        assert shutil.disk_usage(disk).free >= 2 * MIB - 8192
