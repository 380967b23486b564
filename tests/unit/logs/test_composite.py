"""Segments and tail are one log: the answers are those of a plain model, wherever the log was cut."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tailrace.domain.errors import LogRemoved, NotFound, SegmentDamaged
from tailrace.domain.spans import Span, Stream, spans_within
from tailrace.domain.states import LogState
from tailrace.logs.base import LogReader
from tailrace.store.segments import SealedPart
from tests.support.sealing import SealedLogs


class NeverChance(random.Random):
    """Only the test seals."""

    def random(self) -> float:
        return 0.0


class Model:
    """A log in memory."""

    def __init__(self, data: bytes, spans: list[Span]) -> None:
        self.data = data
        self.spans = spans

    def offset_of_line(self, line: int) -> int:
        begins = [0, *(at + 1 for at, byte in enumerate(self.data) if byte == 10)]
        return begins[line - 1] if line <= len(begins) else len(self.data)

    def offset_of_tail(self, lines: int) -> int:
        parts = self.data.splitlines(keepends=True)
        return len(self.data) - sum(map(len, parts[-lines:] if lines else []))

    def offset_of_time(self, time: int) -> int:
        return next((span.offset for span in self.spans if span.time >= time), len(self.data))


def compare(reader: LogReader, model: Model, draw: st.DataObject) -> None:
    """Every question, at drawn places."""
    size = len(model.data)
    start = draw.draw(st.integers(0, size), label="start")
    stop = draw.draw(st.integers(start, size + 3), label="stop")
    limit = draw.draw(st.none() | st.integers(1, 5), label="limit")
    assert reader.end(7) == size
    assert reader.read(7, start, stop) == model.data[start:stop]
    assert reader.spans(7, start, stop) == spans_within(model.spans, start, min(stop, size))
    assert reader.spans(7, start, stop, limit) == spans_within(model.spans, start, min(stop, size))[:limit]
    assert reader.line_at(7, start) == 1 + model.data[:start].count(b"\n")
    line = draw.draw(st.integers(1, model.data.count(b"\n") + 3), label="line")
    assert reader.offset_of_line(7, line) == model.offset_of_line(line)
    assert reader.offset_of_tail(7, line - 1) == model.offset_of_tail(line - 1)
    time = draw.draw(st.integers(-5, 60), label="time")
    assert reader.offset_of_time(7, time) == model.offset_of_time(time)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(draw=st.data(), text=st.text(alphabet="ab\n", min_size=1, max_size=200), frame=st.integers(1, 70))
def test_any_split_of_sealed_and_tail_reads_the_same(
    tmp_path: Path, draw: st.DataObject, text: str, frame: int
) -> None:
    """Many segments, dropped or not yet, whole or with a tail, spans at and across every border."""
    data = text.encode()
    begins = sorted(draw.draw(st.lists(st.integers(0, len(data) - 1), max_size=30), label="spans"))
    begins = begins[max(begins.count(0) - 1, 0) :]  # of several at the very first byte a reader sees one
    spans = [
        Span(at, draw.draw(st.integers(0, 50)), draw.draw(st.sampled_from(Stream)), at % 3) for at in begins
    ]
    logs = SealedLogs(tmp_path, {}, NeverChance(), frame)
    logs.remove(7)
    logs.create(7)
    logs.append(7, 0, spans, data)
    model = Model(data, spans)
    cuts = sorted(draw.draw(st.sets(st.integers(1, len(data)), max_size=6), label="cuts"))
    for cut in cuts:
        logs.seal(7, cut, drop=draw.draw(st.booleans(), label="drop"))
        compare(logs.composite, model, draw)
    if draw.draw(st.booleans(), label="whole"):
        logs.finish(7)
    compare(logs.composite, model, draw)
    logs.close()


def test_a_reader_at_work_while_the_log_is_sealed_and_dropped_misses_nothing(tmp_path: Path) -> None:
    """A reader that loses the race takes the bytes from the segment."""
    logs = SealedLogs(tmp_path, {}, NeverChance(), 1024)
    whole = b"".join(b"line %06d of the log\n" % number for number in range(20_000))
    logs.create(7)
    for start in range(0, len(whole), 4096):
        part = whole[start : start + 4096]
        logs.append(7, start, [Span(start, start, Stream.STDOUT, 0)], part)
    failures: list[str] = []
    done = threading.Event()

    def read(seed: int) -> None:
        chance = random.Random(seed)
        while not done.is_set():
            start = chance.randrange(len(whole))
            stop = min(start + chance.choice([1, 100, 30_000]), len(whole))
            try:
                assert logs.composite.read(7, start, stop) == whole[start:stop]
                assert logs.composite.line_at(7, start) == 1 + whole[:start].count(b"\n")
                assert logs.composite.spans(7, start, start + 1)[0].time == start // 4096 * 4096
                assert logs.composite.end(7) == len(whole)
            except Exception as error:
                failures.append(repr(error))
                return

    readers = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for reader in readers:
        reader.start()
    chance, sealed = random.Random(1), 0
    while sealed < len(whole):
        sealed = min(sealed + chance.randint(1000, 20_000), len(whole))
        logs.seal(7, sealed)
    logs.finish(7)
    done.set()
    for reader in readers:
        reader.join()
    assert not failures, failures[0]


def test_a_log_that_began_anew_is_read_anew(tmp_path: Path) -> None:
    """Its old segments are forgotten, although a reader knew them."""
    logs = SealedLogs(tmp_path, {}, NeverChance())
    logs.create(7)
    logs.append(7, 0, [], b"wrong bytes")
    logs.seal(7, 6)
    assert logs.composite.read(7, 0, 20) == b"wrong bytes"
    logs.remove(7)
    logs.create(7)
    assert logs.composite.end(7) == 0
    logs.append(7, 0, [], b"right")
    assert logs.composite.read(7, 0, 20) == b"right"


def test_a_removed_log_says_when_and_why(tmp_path: Path) -> None:
    """A NotFound that a person understands."""
    logs = SealedLogs(tmp_path, {}, NeverChance())
    logs.create(7)
    logs.append(7, 0, [], b"bytes")
    logs.finish(7)
    assert logs.composite.read(7, 0, 5) == b"bytes"
    fresh = SealedLogs(tmp_path, {}, NeverChance())
    part = SealedPart(LogState.REMOVED, 5, 0, True, 1_700_000_000_000, "older than 30 days", ())
    fresh.composite = type(fresh.composite)(fresh.tail, fresh.composite._segments, lambda _log, _known: part)  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(LogRemoved, match=r"log 7 was removed by retention on 2023-11-14: older than 30 days"):
        fresh.composite.read(7, 0, 5)


def test_an_unknown_log_is_not_found_and_a_lost_object_is_named(tmp_path: Path) -> None:
    """A missing object is damage, not an absent log."""
    logs = SealedLogs(tmp_path, {}, NeverChance())
    with pytest.raises(NotFound):
        logs.composite.read(8, 0, 1)
    logs.create(7)
    logs.append(7, 0, [], b"bytes")
    logs.finish(7)
    (row,) = logs.rows[7]
    logs.archive.remove([row.key])
    with pytest.raises(SegmentDamaged, match=r"log 7, segment 0 .*: the archive has no such object"):
        logs.composite.read(7, 0, 5)
