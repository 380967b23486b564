"""What is particular to logs as files: crashes, disks without room, few open files."""

from __future__ import annotations

import os
import resource
import zlib
from pathlib import Path

import pytest

from tailrace.domain.spans import SPAN_BYTES, Span, Stream, pack_spans
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
