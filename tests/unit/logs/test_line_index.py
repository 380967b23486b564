"""The sparse indexes of a log that grows."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from tailrace.logs.line_index import BLOCK_BYTES, BLOCK_SPANS, LineIndex, TimeIndex, nth_newline


class Grown:
    """A log in memory, which counts what is read of it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.read_bytes = 0

    def read(self, start: int, stop: int) -> bytes:
        part = self.data[start:stop]
        self.read_bytes += len(part)
        return part


def some_log(pick: random.Random, lines: int, most: int) -> bytes:
    return b"".join(b"x" * pick.randint(0, most) + b"\n" for _ in range(lines))


def test_any_line_costs_one_block_after_the_first_look() -> None:
    """Lines are found as by splitting, and so are the lines of offsets; growth is counted once."""
    pick = random.Random(1)
    log = Grown(some_log(pick, 30_000, 200))
    index = LineIndex(log.read)
    assert len(log.data) > 8 * BLOCK_BYTES
    for growth in range(3):
        begins = [0, *accumulate(len(line) + 1 for line in log.data.split(b"\n")[:-1])]
        index.line_at(len(log.data))
        for _ in range(50):
            line = pick.randint(1, len(begins) - 1)
            log.read_bytes = 0
            assert index.offset_of_line(line, len(log.data)) == begins[line - 1]
            assert index.line_at(begins[line - 1]) == line
            assert index.line_at(begins[line] - 1) == line
            assert log.read_bytes <= 3 * BLOCK_BYTES
        assert index.offset_of_line(len(begins) + 1, len(log.data)) == len(log.data)
        log.data += some_log(pick, 10_000 + growth, 50)


def test_lines_are_counted_from_a_base() -> None:
    """Where the beginning of a log is elsewhere, lines and offsets are still those of the whole."""
    pick = random.Random(2)
    whole = some_log(pick, 20_000, 100)
    log = Grown(whole)
    base = 300_001
    index = LineIndex(log.read, base, whole.count(b"\n", 0, base))
    for offset in (base, base + 1, 600_000, len(whole)):
        line = index.line_at(offset)
        assert line == 1 + whole.count(b"\n", 0, offset)
        begin = index.offset_of_line(line, len(whole))
        assert begin == max(whole.rfind(b"\n", 0, offset) + 1, base)


def test_many_threads_may_ask_at_once() -> None:
    """The first count is one."""
    pick = random.Random(3)
    log = Grown(some_log(pick, 50_000, 80))
    index = LineIndex(log.read)
    lines = [pick.randint(1, 50_000) for _ in range(64)]
    begins = [0, *accumulate(len(line) + 1 for line in log.data.split(b"\n"))]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(index.offset_of_line, lines, [len(log.data)] * len(lines)))
    assert found == [begins[line - 1] for line in lines]
    assert log.read_bytes <= len(log.data) + 64 * BLOCK_BYTES


@given(
    data=st.lists(st.sampled_from([b"\n", b"x", b"\n" * 300, b"x" * 700])).map(b"".join),
    n=st.integers(1, 900),
)
def test_the_nth_newline(data: bytes, n: int) -> None:
    """As counted one by one; -1 behind the last."""
    places = [at for at, byte in enumerate(data) if byte == 10]
    assert nth_newline(data, n) == (places[n - 1] if n <= len(places) else -1)


@given(
    seed=st.integers(0, 1000),
    count=st.sampled_from([0, 1, 5, BLOCK_SPANS - 1, BLOCK_SPANS, 3 * BLOCK_SPANS + 7]),
    moments=st.lists(st.integers(-10, 400), min_size=1, max_size=5),
)
def test_a_moment_is_the_first_span_that_is_not_older(seed: int, count: int, moments: list[int]) -> None:
    """Also when clocks step back, and when spans are added between the questions."""
    pick = random.Random(seed)
    back = pick.choice([0, 0, 300])  # the clock, for all that comes after the first block
    times = [
        at // 16 + pick.choice([0, 0, 0, -1, -40, 3]) - back * (at >= BLOCK_SPANS) for at in range(count)
    ]
    index = TimeIndex(lambda first, last: times[first:last])
    for held in (count // 2, count):
        for moment in moments:
            wanted = next((at for at, time in enumerate(times[:held]) if time >= moment), held)
            assert index.first_since(moment, held) == wanted
