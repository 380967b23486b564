"""The format of segments: other programs read it, damage is named, an index is found from the end."""

from __future__ import annotations

import hashlib
import random
import shutil
import struct
import subprocess
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from backports import zstd

from tailrace.domain.errors import SegmentDamaged
from tailrace.domain.spans import Span, Stream
from tailrace.logs.archive import Archive
from tailrace.logs.base import Base, base_after
from tailrace.logs.checksums import combine
from tailrace.logs.sealer import row_of
from tailrace.logs.segment_reader import Segments
from tailrace.logs.segment_writer import Segment, build_segment, zstd_options
from tailrace.logs.tail_file import FileLogStore
from tailrace.store.segments import SegmentRow

GOLDEN = Path(__file__).parent / "golden" / "segment-1.zst"
TEXT = b"".join(b"%05d a line of the log, as jobs write them\n" % number for number in range(40_000))


@pytest.fixture
def tail(tmp_path: Path) -> FileLogStore:
    """Log 7: TEXT, a span each 1000 bytes, of alternating streams."""
    logs = FileLogStore(tmp_path / "logs")
    logs.create(7)
    spans = [
        Span(at, 1_700_000_000_000 + at, Stream.STDERR if at % 3000 == 0 else Stream.STDOUT, at // 500_000)
        for at in range(0, len(TEXT), 1000)
    ]
    logs.append(7, 0, spans, TEXT)
    return logs


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    archive = Archive(f"file://{tmp_path / 'archive'}")
    archive.check(begin=True)
    return archive


def sealed(tail: FileLogStore, archive: Archive, *stops: int) -> list[SegmentRow]:
    """Log 7 sealed up to each of `stops`."""
    rows: list[SegmentRow] = []
    base = Base()
    for stop in stops:
        segment = build_segment(tail, 7, len(rows), base, stop)
        rows.append(put(archive, segment))
        base = base_after(rows[-1])
    return rows


def put(archive: Archive, segment: Segment) -> SegmentRow:
    key = f"7/{segment.index.number}.zst"
    archive.put(key, segment.data, segment.sha256)
    return row_of(segment, key)


def test_any_zstd_program_reads_segments_one_after_the_other(tail: FileLogStore, tmp_path: Path) -> None:
    """Skippable frames are skipped: the concatenated segments decompress to the log."""
    first = build_segment(tail, 7, 0, Base(), 1_000_000)
    second = build_segment(tail, 7, 1, base_after(row_of(first, "")), len(TEXT))
    data = first.data + second.data
    (tmp_path / "both.zst").write_bytes(data)
    with zstd.open(tmp_path / "both.zst") as file:
        assert file.read() == TEXT
    if shutil.which("zstd") is None:
        pytest.skip("there is no zstd command")
    (tmp_path / "0.zst").write_bytes(first.data)
    (tmp_path / "1.zst").write_bytes(second.data)
    done = subprocess.run(["zstd", "-dc", "0.zst", "1.zst"], cwd=tmp_path, capture_output=True, check=True)
    assert done.stdout == TEXT
    subprocess.run(["zstd", "-t", "0.zst"], cwd=tmp_path, capture_output=True, check=True)


def test_the_seek_table_is_that_of_the_seekable_format(tail: FileLogStore) -> None:
    """Read here by the format's own description: entries add up, checksums are those of the frames' contents."""
    data = build_segment(tail, 7, 0, Base(), len(TEXT)).data
    count, descriptor, magic = struct.unpack("<IBI", data[-9:])
    assert (descriptor, magic) == (0x80, 0x8F92EAB1)
    table = 8 + 12 * count + 9
    frame_magic, frame_size = struct.unpack_from("<II", data, len(data) - table)
    assert (frame_magic, frame_size) == (0x184D2A5E, table - 8)
    at, raw = 0, b""
    for number in range(count):
        packed, size, checksum = struct.unpack_from("<III", data, len(data) - table + 8 + 12 * number)
        piece = data[at : at + packed]
        if size:
            assert zstd.get_frame_info(piece).decompressed_size == size
            assert piece[-4:] == checksum.to_bytes(4, "little")
            assert raw == TEXT[: len(raw)]
            raw += zstd.decompress(piece)
        else:
            assert 0x184D2A50 <= int.from_bytes(piece[:4], "little") <= 0x184D2A5F
            assert checksum == int.from_bytes(
                zstd.compress(b"", options={zstd.CompressionParameter.checksum_flag: 1})[-4:], "little"
            )
        at += packed
    assert at == len(data) - table
    assert raw == TEXT


def test_frames_hold_256_kib_and_the_index_says_where_lines_and_times_are(tail: FileLogStore) -> None:
    """First byte, first line, first and last time, offset and CRC-32 of each."""
    index = build_segment(tail, 7, 0, Base(), len(TEXT), ThreadPoolExecutor(2)).index
    assert [frame.first_byte for frame in index.frames] == list(range(0, len(TEXT), 256 * 1024))
    for number, frame in enumerate(index.frames):
        stop = index.frame_stop(number)
        assert frame.first_line == TEXT[: frame.first_byte].count(b"\n")
        assert frame.crc32 == zlib.crc32(TEXT[frame.first_byte : stop])
        assert frame.first_time == 1_700_000_000_000 + frame.first_byte // 1000 * 1000
        assert frame.last_time == 1_700_000_000_000 + (stop - 1) // 1000 * 1000
    assert (index.lines, index.crc32) == (TEXT.count(b"\n"), zlib.crc32(TEXT))


def test_a_segment_of_version_1_stays_readable(tmp_path: Path, archive: Archive) -> None:
    """The golden file was written when the format was made: what is in archives must be read for ever."""
    data = GOLDEN.read_bytes()
    archive.put("golden", data, hashlib.sha256(data).hexdigest())
    row = SegmentRow(3, 100, 100 + 12_000, 2, 600, 0, 0, len(data), "", 0, "golden")
    text = b"".join(b"golden line %06d\n" % number for number in range(1000))[:12_000]
    segments = Segments(archive)
    index = segments.index(42, row)
    assert (index.log, index.number, index.start, index.stop) == (42, 3, 100, 12_100)
    assert (index.first_line, index.lines, index.carried) == (2, text.count(b"\n"), True)
    assert index.crc32 == zlib.crc32(b"x" * 97 + b"\n\ny" + text)
    assert (index.first_time, index.last_time) == (1_700_000_000_000, 1_700_000_000_500)
    assert segments.read(42, row, 100, 12_100) == text
    assert segments.spans(42, row, 100, 12_100, None, joined=False) == [
        Span(100, 1_700_000_000_000, Stream.SYSTEM, 0),
        Span(600, 1_700_000_000_500, Stream.STDERR, 65_535),
        Span(12_099, 1_700_000_000_400, Stream.STDOUT, 1),
    ]


def test_opening_reads_only_the_end(tail: FileLogStore, archive: Archive) -> None:
    """Neither index nor one line needs the rest of the object, also when the log has very many spans."""
    logs = tail
    logs.create(8)
    noise = random.Random(1).randbytes(3_000_000)
    spans = [Span(at, 10**12 + at * 7919 % 1000, Stream.STDOUT, 0) for at in range(0, len(noise), 20)]
    logs.append(8, 0, spans, noise)
    segment = build_segment(logs, 8, 0, Base(), len(noise))
    row = put(archive, segment)
    read: list[int] = []

    class Counting(Archive):
        def read(self, key: str, start: int, stop: int) -> bytes:
            data = super().read(key, start, stop)
            read.append(len(data))
            return data

    segments = Segments(Counting(f"file://{archive._root}"))  # pyright: ignore[reportPrivateUsage]
    assert segments.index(8, row) == segment.index._replace(blocks_at=segments.index(8, row).blocks_at)
    assert sum(block.spans for block in segment.index.blocks) == 150_000
    assert sum(read) < 1_200_000
    read.clear()
    assert segments.read(8, row, 2_000_000, 2_000_010) == noise[2_000_000:2_000_010]
    assert segments.read(8, row, 2_000_010, 2_000_020) == noise[2_000_010:2_000_020]
    assert len(read) == 1, "the frame is kept"
    assert max(read) < 300_000
    assert segments.spans(8, row, 2_000_000, 2_000_030, None, joined=False) == [
        span._replace(offset=max(span.offset, 2_000_000)) for span in spans[100_000:100_002]
    ]


def test_a_corrupted_frame_is_named(tail: FileLogStore, archive: Archive, tmp_path: Path) -> None:
    """One flipped bit: log, segment, frame and key are in the error, other frames stay readable."""
    (row,) = sealed(tail, archive, len(TEXT))
    segments = Segments(archive)
    index = segments.index(7, row)
    path = tmp_path / "archive" / row.key
    data = bytearray(path.read_bytes())
    data[index.frames[2].offset + 50] ^= 1
    path.write_bytes(data)
    assert segments.read(7, row, 0, 1000) == TEXT[:1000]
    with pytest.raises(SegmentDamaged, match=r"log 7, segment 0 \(7/0.zst in the archive\): frame 2 "):
        segments.read(7, row, 600_000, 600_001)
    with pytest.raises(SegmentDamaged, match="frame 2 "):
        segments.after_newline(7, row, TEXT[:600_000].count(b"\n"))


def test_a_frame_that_decompresses_to_other_bytes_is_named(
    tail: FileLogStore, archive: Archive, tmp_path: Path
) -> None:
    """A whole, valid frame of something else does not match the index's CRC-32."""
    noise = random.Random(2).randbytes(1000)  # it is stored as it is: one of the same length takes its place
    tail.create(8)
    tail.append(8, 0, [], noise)
    segment = build_segment(tail, 8, 0, Base(), 1000)
    row, index = put(archive, segment), segment.index
    path = tmp_path / "archive" / row.key
    data = path.read_bytes()
    other = zstd.compress(noise[::-1], options=zstd_options(6))
    assert len(other) == index.frames_end
    path.write_bytes(other + data[index.frames_end :])
    with pytest.raises(SegmentDamaged, match="frame 0 does not match its CRC-32"):
        Segments(archive).read(8, row, 0, 10)


@pytest.mark.parametrize("keep", [0, 5, 100, -1, -500])
def test_an_object_that_is_cut_off_is_named(
    tail: FileLogStore, archive: Archive, tmp_path: Path, keep: int
) -> None:
    """Wherever it was cut."""
    (row,) = sealed(tail, archive, len(TEXT))
    path = tmp_path / "archive" / row.key
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(SegmentDamaged, match=r"log 7, segment 0 .*cut off"):
        Segments(archive).read(7, row, 0, 10)


def test_a_damaged_index_and_a_damaged_block_of_spans_are_named(
    tail: FileLogStore, archive: Archive, tmp_path: Path
) -> None:
    """The index has a CRC-32 of its own, the blocks have zstd's."""
    (row,) = sealed(tail, archive, len(TEXT))
    index = Segments(archive).index(7, row)
    path = tmp_path / "archive" / row.key
    data = path.read_bytes()
    for at, what in ((index.frames_end + 30, "its index"), (index.blocks_at + 30, "block 0 of its spans")):
        broken = bytearray(data)
        broken[at] ^= 0xFF
        path.write_bytes(broken)
        with pytest.raises(SegmentDamaged, match=what):
            Segments(archive).spans(7, row, 0, 10, None, joined=False)


def test_an_object_in_the_place_of_another_is_noticed(tail: FileLogStore, archive: Archive) -> None:
    """The index says whose it is."""
    first, second = sealed(tail, archive, 1000, 2000)
    with pytest.raises(SegmentDamaged, match="objects were mixed up"):
        Segments(archive).read(7, second._replace(key=first.key, size=first.size), 1000, 1001)


def test_a_span_that_began_before_the_segment_is_carried_into_it(
    tail: FileLogStore, archive: Archive
) -> None:
    """A segment can be read alone; read after the one before it, the carried span is not there twice."""
    rows = sealed(tail, archive, 1500, 3000, len(TEXT))
    segments = Segments(archive)
    assert [segments.index(7, row).carried for row in rows] == [False, True, False]
    time = 1_700_000_000_000
    assert segments.spans(7, rows[1], 1500, 2500, None, joined=False) == [
        Span(1500, time + 1000, Stream.STDOUT, 0),
        Span(2000, time + 2000, Stream.STDOUT, 0),
    ]
    assert segments.spans(7, rows[1], 1500, 2500, None, joined=True) == [
        Span(2000, time + 2000, Stream.STDOUT, 0)
    ]


def test_missing_bytes_cannot_be_sealed(tail: FileLogStore) -> None:
    """A tail that is shorter than its log is an error, not a short segment."""
    with pytest.raises(OSError, match="cannot be sealed"):
        build_segment(tail, 7, 0, Base(), len(TEXT) + 1)


def test_checksums_of_parts_combine() -> None:
    """As the checksum of the whole, for short and long parts."""
    chance = random.Random(3)
    for first, second in ((0, 0), (5, 0), (0, 5), (100, 4095), (10_000, 4096), (3, 262_144), (7, 50_001)):
        a, b = chance.randbytes(first), chance.randbytes(second)
        assert combine(zlib.crc32(a), zlib.crc32(b), len(b)) == zlib.crc32(a + b)


def test_a_reader_written_after_the_page_reads_the_golden_file() -> None:
    """docs/segments.md is enough: found from the end, field by field, with nothing of ours."""
    data = GOLDEN.read_bytes()
    entries, flags, magic = struct.unpack("<IBI", data[-9:])
    assert (flags, magic) == (0x80, 0x8F92EAB1)
    index_size, raw, _ = struct.unpack_from("<III", data, len(data) - 9 - 12)
    assert raw == 0
    at = len(data) - (8 + 12 * entries + 9) - index_size
    assert struct.unpack_from("<II", data, at) == (0x184D2A57, index_size - 8)
    head = struct.Struct("<8sHHQIIQQQQIIqqQI")
    index = data[at + 8 : at + index_size]
    fields = head.unpack_from(index)
    assert fields[:10] == (b"tailrace", 1, 1, 42, 3, 3, 100, 12_100, 2, 631)
    blocks, first_time, last_time, spans, block_bytes = fields[11:]
    assert (blocks, spans) == (1, 3)
    assert (first_time, last_time) == (1_700_000_000_000, 1_700_000_000_500)
    text = b""
    for number in range(3):
        offset, first_byte, first_line, *_times, crc32 = struct.unpack_from(
            "<QQQqqI", index, head.size + 44 * number
        )
        assert first_byte == 100 + len(text)
        assert first_line == 2 + text.count(b"\n")
        part = zstd.ZstdDecompressor().decompress(data[offset:])
        assert zlib.crc32(part) == crc32
        text += part
    assert len(text) == 12_000
    place = head.size + 44 * 3
    begin, time, latest, count, size = struct.unpack_from("<QqqII", index, place)
    assert (latest, size) == (last_time, block_bytes)
    place += 32
    assert struct.unpack_from("<I", index, place) == (zlib.crc32(index[:place]),)
    planes = zstd.decompress(index[place + 4 : place + 4 + size])
    assert len(planes) == 15 * count

    def column(start: int, width: int, signed: bool = False) -> list[int]:
        return [
            int.from_bytes(planes[start + row : start + width * count : count], "little", signed=signed)
            for row in range(count)
        ]

    assert [begin, time, *column(0, 4), *column(4 * count, 8, True)] == [
        100,
        time,
        0,
        500,
        11_499,
        0,
        500,
        -100,
    ]
    assert column(12 * count, 1) == [3, 2, 1]
    assert column(13 * count, 2) == [0, 65_535, 1]


def make_golden() -> None:
    """How the golden file was made: PYTHONPATH=src:. python -c 'from tests.unit.logs.test_segments import *; make_golden()'"""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        logs = FileLogStore(Path(folder))
        logs.create(42)
        before = b"x" * 97 + b"\n\ny"
        text = b"".join(b"golden line %06d\n" % number for number in range(1000))[:12_000]
        time = 1_700_000_000_000
        spans = [
            Span(10, time, Stream.SYSTEM, 0),
            Span(600, time + 500, Stream.STDERR, 65_535),
            Span(12_099, time + 400, Stream.STDOUT, 1),
        ]
        logs.append(42, 0, spans, before + text)
        base = Base(100, 2, zlib.crc32(before))
        GOLDEN.write_bytes(build_segment(logs, 42, 3, base, 12_100, frame_bytes=5000).data)
