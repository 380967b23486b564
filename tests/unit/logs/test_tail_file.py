"""What is particular to logs as files: crashes, disks without room, few open files."""

from __future__ import annotations

import os
import resource
import zlib
from pathlib import Path

import pytest

from tailrace.domain.spans import SPAN_BYTES, Span, Stream, pack_spans
from tailrace.logs.base import Base, BytesDropped
from tailrace.logs.segment_index import SEGMENT_BYTES
from tailrace.logs.tail_file import FileLogStore


def span(offset: int) -> Span:
    return Span(offset, 5, Stream.STDERR, 1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a store that held log 1007 with ten bytes and two spans, and has ended."""
    logs = FileLogStore(tmp_path)
    logs.create(1007)
    logs.append(1007, 0, [span(0), span(5)], b"0123456789")
    logs.close()
    return tmp_path


def test_logs_lie_in_folders_of_a_thousand(folder: Path) -> None:
    """`<folder>/<log // 1000>/<log>.log` and `.spans`, for their owner alone."""
    assert (folder / "1" / "1007.log").read_bytes() == b"0123456789"
    assert (folder / "1" / "1007.spans").read_bytes() == pack_spans([span(0), span(5)])
    assert {path.stat().st_mode & 0o777 for path in (folder / "1").iterdir()} == {0o600}


@pytest.mark.parametrize("torn", range(1, SPAN_BYTES))
def test_a_torn_span_is_dropped(folder: Path, torn: int) -> None:
    """A crash in the middle of writing a span leaves the spans before it, and later ones are whole."""
    with (folder / "1" / "1007.spans").open("ab") as file:
        file.write(pack_spans([span(10)])[:torn])
    logs = FileLogStore(folder)
    assert logs.spans(1007, 0, 10) == [span(0), span(5)]
    logs.append(1007, 10, [span(11)], b"ab")
    logs.close()
    logs = FileLogStore(folder)
    assert logs.spans(1007, 0, 12) == [span(0), span(5), span(11)]
    logs.close()


def test_spans_whose_bytes_were_never_written_are_dropped(folder: Path) -> None:
    """A crash after the spans and before the bytes; the bytes come again with other spans, and the old ones do not
    return when the log has grown past them."""
    with (folder / "1" / "1007.spans").open("ab") as file:
        file.write(pack_spans([span(10), span(14)]))
    logs = FileLogStore(folder)
    assert logs.end(1007) == 10
    logs.append(1007, 10, [span(12)], b"abcdef")
    logs.close()
    logs = FileLogStore(folder)
    assert logs.spans(1007, 0, 16) == [span(0), span(5), span(12)]
    logs.close()


def test_half_written_bytes_are_the_end(folder: Path) -> None:
    """The end is what the file holds; spans behind it are dropped, those before it stay."""
    with (folder / "1" / "1007.spans").open("ab") as file:
        file.write(pack_spans([span(10), span(14)]))
    with (folder / "1" / "1007.log").open("ab") as file:
        file.write(b"abc")
    logs = FileLogStore(folder)
    assert logs.end(1007) == 13
    assert logs.spans(1007, 0, 13) == [span(0), span(5), span(10)]
    logs.verify(1007, 13, zlib.crc32(b"0123456789abc"))
    logs.close()


@pytest.mark.parametrize(("limit", "size"), [(50, 40), (60, 80)], ids=["spans", "bytes"])
def test_an_append_without_room_leaves_the_log_as_it_was(folder: Path, limit: int, size: int) -> None:
    """A limit on the size of files stands in for a full disk: there is no room for the third span (bytes 40 to 60), or for
    the bytes. With room again, the same append succeeds."""
    logs = FileLogStore(folder)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with pytest.raises(OSError, match="large"):
            logs.append(1007, 10, [span(10)], b"x" * size)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert logs.end(1007) == 10
    assert logs.spans(1007, 0, 99) == [span(0), span(5)]
    assert (folder / "1" / "1007.log").stat().st_size == 10
    assert (folder / "1" / "1007.spans").stat().st_size == 2 * SPAN_BYTES
    assert logs.append(1007, 10, [span(10)], b"x" * size) == 10 + size
    logs.verify(1007, 10 + size, zlib.crc32(b"0123456789" + b"x" * size))
    logs.close()


def test_few_files_are_open(tmp_path: Path) -> None:
    """However many logs are used, about as many as allowed are open; a closed one opens again."""
    logs = FileLogStore(tmp_path, open_logs=4)
    before = len(os.listdir("/proc/self/fd"))
    for log in range(50):
        logs.create(log)
        logs.append(log, 0, [span(0)], b"%d" % log)
        assert len(os.listdir("/proc/self/fd")) - before <= 8
    assert logs.read(3, 0, 9) == b"3"
    logs.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_log_removed_while_it_is_open_leaves_no_file_open(tmp_path: Path) -> None:
    """Removing closes."""
    before = len(os.listdir("/proc/self/fd"))
    logs = FileLogStore(tmp_path)
    logs.create(1)
    logs.append(1, 0, [], b"x")
    logs.remove(1)
    assert len(os.listdir("/proc/self/fd")) == before
    assert list((tmp_path / "0").iterdir()) == []


def filled(folder: Path) -> FileLogStore:
    """Log 7: 100 lines of 10,000 bytes, a span each."""
    logs = FileLogStore(folder)
    logs.create(7)
    for number in range(100):
        at = number * 10_000
        logs.append(7, at, [Span(at, number, Stream.STDOUT, 0)], LINE)
    return logs


LINE = b"x" * 9_999 + b"\n"
BASE = Base(605_000, 60, zlib.crc32(LINE * 60 + LINE[:5_000]))


def check_dropped(logs: FileLogStore) -> None:
    """What a log says whose first 605,000 bytes are gone."""
    assert logs.base(7) == BASE
    assert logs.end(7) == 1_000_000
    assert logs.read(7, 605_000, 610_000) == LINE[5_000:]
    assert logs.spans(7, 605_000, 620_000) == [
        Span(605_000, 60, Stream.STDOUT, 0),
        Span(610_000, 61, Stream.STDOUT, 0),
    ]
    assert logs.spans(7, 604_999, 605_001) == [Span(604_999, 60, Stream.STDOUT, 0)]
    assert logs.line_at(7, 605_000) == 61
    assert logs.line_at(7, 999_999) == 100
    assert logs.offset_of_line(7, 62) == 610_000
    assert logs.offset_of_line(7, 1) == 0
    assert logs.offset_of_tail(7, 39) == 610_000
    assert logs.offset_of_time(7, 61) == 610_000
    logs.verify(7, 1_000_000, zlib.crc32(LINE * 100))
    for beyond in (
        lambda: logs.read(7, 604_999, 700_000),
        lambda: logs.spans(7, 604_998, 700_000),
        lambda: logs.line_at(7, 604_999),
        lambda: logs.offset_of_line(7, 61),
        lambda: logs.offset_of_tail(7, 40),
    ):
        with pytest.raises(BytesDropped) as dropped:
            beyond()
        assert dropped.value.base == BASE


def test_dropped_bytes_are_gone_and_places_stay(tmp_path: Path) -> None:
    """Offsets, lines and the checksum are still those of the whole log, also for the next process."""
    logs = filled(tmp_path)
    logs.drop(7, BASE)
    check_dropped(logs)
    logs.drop(7, Base(10, 0, 0))
    check_dropped(logs)
    logs.close()
    again = FileLogStore(tmp_path)
    check_dropped(again)
    again.append(7, 1_000_000, [], LINE)
    again.verify(7, 1_010_000, zlib.crc32(LINE * 101))


def test_dropping_gives_the_disk_its_space_back(tmp_path: Path) -> None:
    """The file keeps its size and loses its blocks."""
    logs = filled(tmp_path)
    logs.sync(7)
    path = tmp_path / "0" / "7.log"
    before = path.stat().st_blocks
    logs.drop(7, BASE)
    assert path.stat().st_size == 1_000_000
    if path.stat().st_blocks == before:
        pytest.skip("this file system punches no holes")
    assert path.stat().st_blocks * 512 < 420_000


def test_bytes_that_a_power_loss_took_below_the_base_count_as_held(tmp_path: Path) -> None:
    """Segments have them: the log goes on where the base is, and its spans with it."""
    logs = filled(tmp_path)
    logs.drop(7, BASE)
    logs.close()
    os.truncate(tmp_path / "0" / "7.log", 300_000)
    again = FileLogStore(tmp_path)
    assert again.end(7) == 605_000
    again.append(7, 605_000, [], LINE[5_000:] + LINE * 39)
    again.verify(7, 1_000_000, zlib.crc32(LINE * 100))
    assert again.spans(7, 605_000, 605_001) == [Span(605_000, 60, Stream.STDOUT, 0)]


def test_a_base_behind_the_end_changes_nothing(tmp_path: Path) -> None:
    """It belongs to bytes that are not here: the log began anew, or they still have to come again."""
    logs = filled(tmp_path)
    logs.drop(7, Base(1_000_001, 100, 1))
    assert logs.base(7) == Base()
    assert logs.read(7, 0, 10_000) == LINE


@pytest.mark.parametrize("left", [0, 300_000, 1_000_000, None])
def test_a_lost_tail_goes_on_where_segments_end(tmp_path: Path, left: int | None) -> None:
    """Wholly lost, cut off, or not even shorter: places and the checksum are those of the whole log."""
    logs = filled(tmp_path)
    logs.close()
    if left is None:
        (tmp_path / "0" / "7.log").unlink()
    else:
        os.truncate(tmp_path / "0" / "7.log", left)
    logs = FileLogStore(tmp_path)
    logs.begin_at(7, BASE, [Span(600_000, 60, Stream.STDOUT, 0)])
    if left == 1_000_000:
        assert logs.base(7) == Base()
    for store in (logs, FileLogStore(tmp_path)):
        assert store.end(7) == max(left or 0, 605_000)
    if left != 1_000_000:
        logs.append(7, 605_000, [], LINE[5_000:] + LINE * 39)
        assert logs.line_at(7, 999_999) == 100
    assert logs.spans(7, 605_000, 605_001) == [Span(605_000, 60, Stream.STDOUT, 0)]
    logs.verify(7, 1_000_000, zlib.crc32(LINE * 100))


def test_a_removed_log_leaves_no_base_behind(tmp_path: Path) -> None:
    """Also when the removal came only half way: the bytes go first."""
    logs = filled(tmp_path)
    logs.drop(7, BASE)
    kept = (tmp_path / "0" / "7.base").read_bytes()
    logs.remove(7)
    assert list((tmp_path / "0").iterdir()) == []
    (tmp_path / "0" / "7.base").write_bytes(kept)
    logs.create(7)
    logs.append(7, 0, [], b"anew")
    assert logs.read(7, 0, 10) == b"anew"
    assert list(logs.held()) == [7]


def test_a_stretch_is_told_once(tmp_path: Path) -> None:
    """Each time that a log has grown by a segment, in whatever pieces."""
    told: list[int] = []
    logs = FileLogStore(tmp_path, on_stretch=told.append)
    block = bytes(SEGMENT_BYTES // 4)
    logs.create(7)
    for number in range(9):
        logs.append(7, number * len(block), [], block)
    assert told == [7, 7]
