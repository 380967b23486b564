"""Every log store keeps the contract of `LogStore`, and every reader that of `LogReader`.

`sealed` reads through segments and tail, of which chance seals and drops another stretch between any two calls.
"""

from __future__ import annotations

import random
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tailrace.domain.errors import Invalid, LogMismatch, NotFound, OffsetMismatch
from tailrace.domain.spans import Span, Stream, spans_within
from tailrace.logs.base import LogStore, end_of
from tailrace.logs.tail_file import FileLogStore
from tailrace.store.segments import SegmentRow
from tests.support.sealing import SealedLogs

Open = Callable[[], LogStore]


@pytest.fixture(params=["file", "file, two open logs", "sealed"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the store; again, as a new process would."""
    opened: list[FileLogStore | SealedLogs] = []
    rows: dict[int, list[SegmentRow]] = {}

    def open_store() -> LogStore:
        open_logs = 2 if request.param == "file, two open logs" else 256
        if request.param == "sealed":
            opened.append(SealedLogs(tmp_path, rows, random.Random(7)))
        else:
            opened.append(FileLogStore(tmp_path / "logs", open_logs=open_logs))
        return opened[-1]

    yield open_store
    for store in opened:
        store.close()


@pytest.fixture
def logs(reopen: Open) -> LogStore:
    return reopen()


def span(offset: int, stream: Stream = Stream.STDOUT, step: int = 0) -> Span:
    return Span(offset, 1_700_000_000_000 + offset, stream, step)


def test_a_new_log_is_empty(logs: LogStore) -> None:
    """Nothing is held, nothing is read."""
    logs.create(7)
    assert logs.end(7) == 0
    assert logs.read(7, 0, 100) == b""
    assert logs.spans(7, 0, 100) == []
    assert logs.offset_of_tail(7, 10) == 0
    assert logs.offset_of_line(7, 3) == 0
    assert logs.offset_of_time(7, 1) == 0


def test_creating_twice_keeps_the_bytes(logs: LogStore) -> None:
    """create is idempotent."""
    logs.create(7)
    logs.append(7, 0, [span(0)], b"kept")
    logs.create(7)
    assert logs.read(7, 0, 10) == b"kept"


def test_a_log_that_was_not_created_is_not_found(logs: LogStore) -> None:
    """Every method but create and remove says so."""
    for call in (
        lambda: logs.end(7),
        lambda: logs.append(7, 0, [], b"x"),
        lambda: logs.sync(7),
        lambda: logs.verify(7, 0, 0),
        lambda: logs.read(7, 0, 1),
        lambda: logs.spans(7, 0, 1),
        lambda: logs.offset_of_tail(7, 1),
    ):
        with pytest.raises(NotFound):
            call()
    assert end_of(logs, 7) == 0


def test_bytes_that_do_not_begin_at_the_end_are_refused(logs: LogStore) -> None:
    """Neither a gap nor a duplicate gets in, and the error carries the end."""
    logs.create(7)
    logs.append(7, 0, [span(0)], b"12345")
    for offset in (0, 4, 6):
        with pytest.raises(OffsetMismatch) as refused:
            logs.append(7, offset, [], b"x")
        assert refused.value.end == 5
    assert logs.read(7, 0, 10) == b"12345"


def test_spans_outside_the_bytes_are_refused(logs: LogStore) -> None:
    """A span must begin within the bytes that it comes with, in order."""
    logs.create(7)
    logs.append(7, 0, [span(0)], b"12345")
    for spans in ([span(4)], [span(10)], [span(8), span(6)]):
        with pytest.raises(Invalid):
            logs.append(7, 5, spans, b"67890")
    assert logs.end(7) == 5
    assert logs.spans(7, 0, 5) == [span(0)]


def test_reads_are_clamped_to_what_is_held(logs: LogStore) -> None:
    """A read beyond the end is short."""
    logs.create(7)
    logs.append(7, 0, [span(0)], b"0123456789")
    assert logs.read(7, 3, 6) == b"345"
    assert logs.read(7, 8, 99) == b"89"
    assert logs.read(7, -5, 2) == b"01"
    assert logs.read(7, 6, 3) == b""
    assert logs.read(7, 50, 60) == b""


def test_a_memoryview_is_as_good_as_bytes(logs: LogStore) -> None:
    """Ingest hands over views of frames."""
    logs.create(7)
    logs.append(7, 0, [span(0)], memoryview(b"..view..")[2:6])
    assert logs.read(7, 0, 10) == b"view"
    logs.verify(7, 4, zlib.crc32(b"view"))


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(data=st.data(), sizes=st.lists(st.integers(1, 300), min_size=1, max_size=20))
def test_what_was_appended_is_what_is_read(reopen: Open, data: st.DataObject, sizes: list[int]) -> None:
    """Bytes and spans of any stretch, by the process that wrote them and by the next."""
    logs = reopen()
    logs.remove(7)
    logs.create(7)
    whole = data.draw(st.binary(min_size=sum(sizes), max_size=sum(sizes)))
    spans: list[Span] = []
    for start, stop in zip([0, *accumulate(sizes)], accumulate(sizes), strict=False):
        begins = sorted(
            data.draw(st.sets(st.integers(start, stop - 1), max_size=4)) | ({0} if start == 0 else set())
        )
        added = [span(at, data.draw(st.sampled_from(Stream)), at % 5) for at in begins]
        assert logs.append(7, start, added, whole[start:stop]) == stop
        spans += added
    start = data.draw(st.integers(0, len(whole)))
    stop = data.draw(st.integers(start, len(whole)))
    for store in (logs, reopen()):
        assert store.end(7) == len(whole)
        assert store.read(7, start, stop) == whole[start:stop]
        assert store.spans(7, start, stop) == spans_within(spans, start, stop)
        assert store.spans(7, start, stop, 2) == spans_within(spans, start, stop)[:2]
        store.verify(7, len(whole), zlib.crc32(whole))


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(text=st.text(alphabet="ab\n", max_size=60), lines=st.integers(0, 12))
def test_the_last_lines_begin_where_a_reader_of_lines_finds_them(reopen: Open, text: str, lines: int) -> None:
    """Blank lines count, and so does a last line without a newline."""
    logs = reopen()
    logs.remove(7)
    logs.create(7)
    logs.append(7, 0, [], text.encode())
    tail = text.splitlines(keepends=True)[-lines:] if lines else []
    assert logs.read(7, logs.offset_of_tail(7, lines), len(text)).decode() == "".join(tail)


def test_the_last_lines_of_a_long_log_are_found(logs: LogStore) -> None:
    """Across more than one block read backwards."""
    logs.create(7)
    lines = [b"%d " % number + b"x" * (number % 3000) + b"\n" for number in range(400)]
    whole = b"".join(lines)
    logs.append(7, 0, [], whole)
    for count in (1, 2, 57, 399, 400, 401):
        assert logs.offset_of_tail(7, count) == len(whole) - sum(map(len, lines[-count:]))


@given(text=st.text(alphabet="ab\n", max_size=60), line=st.integers(1, 40))
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_a_line_begins_where_a_reader_of_lines_finds_it(reopen: Open, text: str, line: int) -> None:
    """offset_of_line and line_at agree with splitting the text at its newlines."""
    logs, data = reopen(), text.encode()
    logs.remove(7)
    logs.create(7)
    logs.append(7, 0, [], data)
    begins = [0, *accumulate(len(part) + 1 for part in data.split(b"\n"))]
    found = logs.offset_of_line(7, line)
    assert found == min(begins[line - 1] if line <= len(begins) else len(data), len(data))
    for offset in range(len(data)):
        assert logs.line_at(7, offset) == 1 + data[:offset].count(b"\n")


def test_a_moment_is_where_its_first_span_begins(logs: LogStore) -> None:
    """offset_of_time finds the first span that is not older, and the end where all are."""
    logs.create(7)
    logs.append(7, 0, [Span(0, 1000, Stream.STDOUT, 0), Span(2, 1000, Stream.STDERR, 0)], b"abcd")
    logs.append(7, 4, [Span(5, 2000, Stream.STDOUT, 0)], b"efgh")
    assert [logs.offset_of_time(7, at) for at in (0, 1000, 1001, 2000, 2001)] == [0, 0, 5, 5, 8]


def test_verify_names_what_differs(logs: LogStore) -> None:
    """A wrong size and a wrong checksum are both refused, and carry both pairs."""
    logs.create(7)
    logs.append(7, 0, [span(0)], b"whole")
    good = zlib.crc32(b"whole")
    logs.verify(7, 5, good)
    for size, crc32 in ((4, good), (5, good ^ 1), (6, good)):
        with pytest.raises(LogMismatch) as refused:
            logs.verify(7, size, crc32)
        assert refused.value.declared == (size, crc32)
        assert refused.value.held == (5, good)


def test_the_checksum_goes_on_after_a_restart(reopen: Open) -> None:
    """What a process before this one wrote counts."""
    first = reopen()
    first.create(7)
    first.append(7, 0, [span(0)], b"before ")
    second = reopen()
    second.append(7, 7, [], b"after")
    second.verify(7, 12, zlib.crc32(b"before after"))


def test_sync_returns_the_end(logs: LogStore) -> None:
    """All that was appended before the call is durable."""
    logs.create(7)
    assert logs.sync(7) == 0
    logs.append(7, 0, [span(0)], b"12345")
    assert logs.sync(7) == 5


def test_a_removed_log_is_gone_and_can_begin_again(logs: LogStore) -> None:
    """Neither bytes, spans nor checksum of the old one remain."""
    logs.create(7)
    logs.append(7, 0, [span(0, Stream.STDERR)], b"old")
    logs.remove(7)
    logs.remove(7)
    with pytest.raises(NotFound):
        logs.read(7, 0, 1)
    logs.create(7)
    logs.append(7, 0, [span(0)], b"newer")
    assert logs.spans(7, 0, 5) == [span(0)]
    logs.verify(7, 5, zlib.crc32(b"newer"))


def test_logs_do_not_mix(logs: LogStore) -> None:
    """Many logs, written and read from many threads, keep their own bytes, also when few may be open."""
    numbers = [1, 2, 3, 999, 1000, 1001, 20_005]
    for log in numbers:
        logs.create(log)
    barrier = threading.Barrier(len(numbers))

    def write(log: int) -> None:
        barrier.wait()
        end = 0
        for turn in range(200):
            block = b"%d:%d\n" % (log, turn)
            end = logs.append(log, end, [span(end)], block)
            assert logs.read(log, end - len(block), end) == block

    with ThreadPoolExecutor(len(numbers)) as pool:
        list(pool.map(write, numbers))
    for log in numbers:
        whole = b"".join(b"%d:%d\n" % (log, turn) for turn in range(200))
        assert logs.read(log, 0, len(whole) + 1) == whole
        logs.verify(log, len(whole), zlib.crc32(whole))


def test_readers_see_whole_appends_only(logs: LogStore) -> None:
    """Bytes below the end are there, with the spans that begin in them, while a writer is at work."""
    logs.create(7)
    block = b"x" * 999 + b"\n"
    written = threading.Event()

    def write() -> None:
        for turn in range(500):
            logs.append(7, turn * 1000, [span(turn * 1000)], block)
        written.set()

    writer = threading.Thread(target=write)
    writer.start()
    done = False
    while not done:
        done = written.is_set()
        end = logs.end(7)
        assert end % 1000 == 0
        assert len(logs.read(7, 0, end)) == end
        assert len(logs.spans(7, 0, end)) == end // 1000
    writer.join()
