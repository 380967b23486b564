"""Search finds what a reader of lines finds, however the log is cut into blocks."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import re2  # pyright: ignore[reportMissingTypeStubs]
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tailrace.domain.errors import NotFound
from tailrace.domain.spans import Span, Stream, spans_within
from tailrace.logs.search import LogSearch, SearchClosed, Searched, Stretch, cut
from tailrace.logs.search_block import LogHit, SearchWish
from tailrace.logs.search_lines import BEFORE_BYTES
from tailrace.logs.search_pattern import SearchPattern
from tailrace.logs.tail_file import FileLogStore
from tests.support.live_house import CountedReads, in_time, until
from tests.support.sealing import SealedLogs

_re2: Any = re2


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[FileLogStore]:
    store = FileLogStore(tmp_path)
    yield store
    store.close()


async def stretches(*wanted: Stretch) -> AsyncGenerator[Stretch]:
    for each in wanted:
        yield each


async def found(search: LogSearch, wish: SearchWish, *wanted: Stretch) -> list[Searched]:
    return [said async for said in search.search(wish, stretches(*wanted))]


def all_hits(said: Sequence[Searched]) -> list[LogHit]:
    return [hit for each in said for hit in each.hits]


def wish(q: str, *, regex: bool = False, case: bool = False, most: int = 100_000) -> SearchWish:
    return SearchWish(SearchPattern(q, regex=regex, case=case), None, most)


def reference(
    whole: bytes, q: str, *, regex: bool, case: bool, line_bytes: int, spans: Sequence[Span]
) -> list[tuple[int, int, int, Span | None]]:
    """(line, offset of the first match, begin of the next line, span) by splitting the log into lines first."""
    options = _re2.Options()
    options.case_sensitive = case
    options.never_nl = True
    options.literal = not regex
    pattern = _re2.compile(q.encode(), options)
    hits: list[tuple[int, int, int, Span | None]] = []
    start = 0
    for number, line in enumerate(whole.split(b"\n"), 1):
        pieces = [line[at : at + line_bytes] for at in range(0, len(line), line_bytes)] or [line]
        for place, piece in enumerate(pieces):
            newline = place == len(pieces) - 1 and start + len(piece) < len(whole)
            at_end = start == len(whole)  # behind the last newline: no line
            match = None if at_end else pattern.search(piece)
            if match is not None:
                offset = start + match.start()
                stop = start + len(piece) + newline
                at = min(offset, stop - 1)
                span = (spans_within(spans, at, at + 1) or [None])[0]
                hits.append((number, offset, stop, span))
            start += len(piece) + newline
    return hits


ATOMS = st.sampled_from(
    [
        b"a",
        b"A",
        b"ab",
        b"b",
        b"\n",
        b"\n\n",
        b"\r\n",
        b"\r",
        b"\xff",
        b"\xe6\xb0\xb4",
        b"\xe6",
        " Ä".encode(),
        b" ",
    ]
)
LOGS = st.lists(ATOMS, max_size=80).map(b"".join)
PATTERNS = st.sampled_from(
    [
        ("a", False),
        ("ab", False),
        ("水", False),
        ("ä", False),
        ("\r", False),
        (" ", False),
        ("a+b?", True),
        ("^a", True),
        ("b$", True),
        ("^$", True),
        ("$", True),
        ("x*", True),
        ("a.b", True),
        ("[^a]b", True),
        (r"a\sb", True),
        (r"\bab\b", True),
        ("(?s)a.+b", True),
        (r"\n|b", True),
        ("(a)|(水+)", True),
        (r"ä\r?$", True),
    ]
)


@settings(max_examples=250, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(
    whole=LOGS,
    pattern=PATTERNS,
    case=st.booleans(),
    first=st.integers(1, 9),
    block=st.integers(1, 30),
    line_bytes=st.integers(1, 60),
    most=st.sampled_from([1, 2, 1000]),
    marks=st.sets(st.integers(0, 90), max_size=6),
)
def test_search_equals_a_search_line_by_line(
    logs: FileLogStore,
    whole: bytes,
    pattern: tuple[str, bool],
    case: bool,
    first: int,
    block: int,
    line_bytes: int,
    most: int,
    marks: set[int],
) -> None:
    """Lines, offsets and spans, whatever bytes the log has and wherever blocks and long lines are cut."""
    q, regex = pattern
    line_bytes = max(line_bytes, first, block)  # as it is with the usual sizes
    spans = [Span(at, at, Stream.STDERR, at) for at in sorted({0, *marks}) if at < len(whole)]
    logs.remove(7)
    logs.create(7)
    logs.append(7, 0, spans, whole)
    search = LogSearch(logs, threads=3, first_block=first, block=block)
    wanted = SearchWish(SearchPattern(q, regex=regex, case=case), None, most, line_bytes)
    said = asyncio.run(found(search, wanted, Stretch(7, 0, len(whole))))
    search.close()
    expected = reference(whole, q, regex=regex, case=case, line_bytes=line_bytes, spans=spans)
    assert [(hit.line, hit.offset, hit.next, hit.span) for hit in all_hits(said)] == expected[:most]
    assert said[-1].done
    if most == 1000:
        assert sum(each.bytes for each in said) == len(whole)


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(parts=st.lists(ATOMS, max_size=60), start=st.integers(0, 60), pattern=PATTERNS)
def test_a_search_goes_on_where_another_stopped(
    logs: FileLogStore, parts: list[bytes], start: int, pattern: tuple[str, bool]
) -> None:
    """Hit by hit, each search from the `next` of the one before: the same hits as in one go."""
    whole = b"".join(parts)
    logs.remove(7)
    logs.create(7)
    logs.append(7, 0, [], whole)
    q, regex = pattern
    start = min(start, len(whole))

    async def walk() -> None:
        search = LogSearch(logs, threads=1, first_block=4, block=8)
        at_once = all_hits(await found(search, wish(q, regex=regex), Stretch(7, start, len(whole))))
        hits: list[LogHit] = []
        at = start
        while at < len(whole):
            more = all_hits(await found(search, wish(q, regex=regex, most=1), Stretch(7, at, len(whole))))
            if not more:
                break
            hits += more
            at = more[0].next
        assert hits == at_once
        search.close()

    asyncio.run(walk())


async def test_the_excerpt_shows_the_matches_in_utf_16(logs: FileLogStore) -> None:
    """A character beyond the basic plane counts twice, bytes that are no UTF-8 are replaced, the line's end is left out."""
    logs.create(7)
    logs.append(7, 0, [], b"x\n\xff\xf0\x9f\x9a\x80 err \xe6\xb0\xb4 ERR\r\n")
    search = LogSearch(logs)
    (hit,) = all_hits(await found(search, wish("err"), Stretch(7, 0, logs.end(7))))
    assert (hit.line, hit.offset, hit.next) == (2, 8, 21)
    assert hit.text == "\N{REPLACEMENT CHARACTER}🚀 err 水 ERR"
    units = hit.text.encode("utf-16-le")
    assert [units[a * 2 : b * 2].decode("utf-16-le") for a, b in hit.ranges] == ["err", "ERR"]
    search.close()


@pytest.mark.parametrize("before", [0, 30, 500, 5000])
async def test_a_long_line_is_shown_around_its_first_match(logs: FileLogStore, before: int) -> None:
    """At most 400 characters, whole ones, of which some lie before the match; matches beyond it are left out."""
    line = "水" * before + "needle" + "é" * 1000 + "needle"
    logs.create(7)
    logs.append(7, 0, [], line.encode() + b"\n")
    search = LogSearch(logs)
    (hit,) = all_hits(await found(search, wish("needle"), Stretch(7, 0, logs.end(7))))
    assert len(hit.text) == 400
    assert "\N{REPLACEMENT CHARACTER}" not in hit.text
    assert hit.text in line
    ((start, stop),) = hit.ranges
    assert hit.text[start:stop] == "needle"
    assert hit.offset == 3 * before
    assert start == min(before, BEFORE_BYTES // 3)
    search.close()


async def test_only_what_a_stream_wrote(logs: FileLogStore) -> None:
    """A hit belongs to the stream in which its first match begins; the limit counts those that are given."""
    logs.create(7)
    for number in range(200):
        stream = Stream.STDERR if number % 10 == 0 else Stream.STDOUT
        logs.append(7, logs.end(7), [Span(logs.end(7), number, stream, 1)], b"line %d\n" % number)
    search = LogSearch(logs, first_block=64, block=256)
    wanted = SearchWish(SearchPattern("line"), frozenset({Stream.STDERR}), 7)
    hits = all_hits(await found(search, wanted, Stretch(7, 0, logs.end(7))))
    assert [hit.text for hit in hits] == [f"line {number}" for number in range(0, 70, 10)]
    search.close()


async def test_many_logs_are_searched_in_their_order(logs: FileLogStore) -> None:
    """Each to its own limit; an empty one is reported too, and one that is gone does not hold up the others."""
    for log in (1, 2, 3, 5):
        logs.create(log)
    for log in (1, 3, 5):
        logs.append(log, 0, [], b"".join(b"log %d line %d\n" % (log, n) for n in range(300)))
    search = LogSearch(logs, first_block=128, block=512)
    size = logs.end(1)
    wanted = [
        Stretch(1, 0, size),
        Stretch(2, 0, 0),
        Stretch(4, 0, 10),
        Stretch(3, 0, size),
        Stretch(5, 0, size),
    ]
    said = await found(search, wish("line", most=4), *wanted)
    assert [hit.text for hit in all_hits(said)] == [
        f"log {log} line {n}" for log in (1, 3, 5) for n in range(4)
    ]
    assert [each.stretch.log for each in said if each.done and each.stretch] == [1, 2, 4, 3, 5]
    (fault,) = [each for each in said if each.fault]
    assert fault.stretch == Stretch(4, 0, 10)
    assert isinstance(fault.fault, NotFound)
    search.close()


async def test_nobody_reads_ahead_of_who_asks(tmp_path: Path) -> None:
    """While nobody asks for more, only the four blocks ahead are read."""
    logs = CountedReads(tmp_path)
    for log in (7, 8):
        logs.create(log)
        logs.append(log, 0, [], b"a line\n" * 100_000)
    search = LogSearch(logs, threads=2, first_block=1024, block=4096)
    async with aclosing(search.search(wish("line"), stretches(Stretch(7, 0, logs.end(7))))) as going:
        first = await in_time(anext(going))
        assert len(first.hits) == 1024 // 7
        # Threads take blocks in the order in which they were wanted: when this one is done, all before it are.
        assert (await in_time(found(search, wish("line", most=1), Stretch(8, 0, 4096))))[-1].done
        assert 1 <= len([start for log, start in logs.reads if log == 7]) <= 5
    search.close()
    logs.close()


class Gated(FileLogStore):
    """Reads wait for the gate."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.gate = threading.Event()
        self.waiting = 0

    def read(self, log: int, start: int, stop: int) -> bytes:
        self.waiting += 1
        assert self.gate.wait(60)
        return super().read(log, start, stop)


async def test_a_slow_archive_is_no_silence(tmp_path: Path) -> None:
    """While a block is awaited, the search says that it lives."""
    logs = Gated(tmp_path)
    logs.create(7)
    logs.append(7, 0, [], b"found\n")
    search = LogSearch(logs, beat_s=0.001)
    going = search.search(wish("found"), stretches(Stretch(7, 0, 6)))
    assert await in_time(anext(going)) == Searched(None, [], 0, False)
    logs.gate.set()
    async for said in going:
        if said.stretch is not None:
            assert said.hits[0].text == "found"
    search.close()
    logs.close()


async def test_who_stops_asking_stops_the_search(tmp_path: Path) -> None:
    """The blocks that no thread has begun are never read."""
    logs = Gated(tmp_path)
    logs.create(7)
    logs.append(7, 0, [], b"a line\n" * 1000)
    search = LogSearch(logs, threads=1, first_block=64, block=64)
    going = asyncio.create_task(found(search, wish("line"), Stretch(7, 0, 7000)))
    await until(lambda: logs.waiting, "a read")
    going.cancel()
    with pytest.raises(asyncio.CancelledError):
        await going
    logs.gate.set()
    assert (await in_time(found(search, wish("line"), Stretch(7, 0, 64))))[-1].done
    assert logs.waiting == 2
    search.close()
    logs.close()


async def test_searches_take_turns(tmp_path: Path) -> None:
    """A search of a large log holds up a small one for as many blocks as are ahead, not for the whole log."""
    logs = CountedReads(tmp_path)
    logs.create(1)
    logs.append(1, 0, [], b"a line\n" * 500_000)
    logs.create(2)
    logs.append(2, 0, [], b"small\n")
    search = LogSearch(logs, threads=1, first_block=1024, block=1024)
    large = asyncio.create_task(found(search, wish("nothing"), Stretch(1, 0, logs.end(1))))
    await until(lambda: logs.reads, "the large search to begin")
    small = await found(search, wish("small"), Stretch(2, 0, 6))
    assert [hit.text for hit in all_hits(small)] == ["small"]
    assert not large.done()
    large.cancel()
    search.close()
    logs.close()


@pytest.mark.parametrize("blocks", [3, 100])
async def test_a_server_that_goes_away_ends_the_searches(tmp_path: Path, blocks: int) -> None:
    """They say so, rather than that there is no more; also when all that is left waits for a thread."""
    logs = Gated(tmp_path)
    logs.create(7)
    logs.append(7, 0, [], b"a line\n" * 1000)
    search = LogSearch(logs, threads=1, first_block=64, block=64)
    going = asyncio.create_task(found(search, wish("line"), Stretch(7, 0, blocks * 64)))
    await until(lambda: logs.waiting, "a read")
    search.close()
    logs.gate.set()
    with pytest.raises(SearchClosed):
        await in_time(going)
    logs.close()


@given(
    start=st.integers(0, 5000),
    length=st.integers(0, 5000),
    first=st.integers(1, 64),
    most=st.integers(1, 512),
)
def test_blocks_tile_a_stretch(start: int, length: int, first: int, most: int) -> None:
    """Each begins where the one before it ended."""
    blocks = list(cut(Stretch(7, start, start + length), first, most))
    assert [start, *(stop for _, stop in blocks)] == [*(begin for begin, _ in blocks), start + length]


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(whole=LOGS, pattern=PATTERNS, seed=st.integers(0, 10**6), block=st.integers(1, 30))
def test_a_log_is_searched_while_it_is_sealed(
    tmp_path: Path, whole: bytes, pattern: tuple[str, bool], seed: int, block: int
) -> None:
    """In segments, in the tail, or moving from one to the other: the same hits."""
    q, regex = pattern
    spans = [Span(at, at, Stream.STDERR, 0) for at in range(0, len(whole), 7)]
    sealed = SealedLogs(tmp_path, {}, random.Random(seed), frame_bytes=1 + seed % 40)
    sealed.remove(7)
    sealed.create(7)
    sealed.append(7, 0, spans, whole)
    search = LogSearch(sealed, threads=3, first_block=2, block=block)
    said = asyncio.run(found(search, wish(q, regex=regex), Stretch(7, 0, len(whole))))
    search.close()
    sealed.close()
    expected = reference(whole, q, regex=regex, case=False, line_bytes=10**6, spans=spans)
    assert [(hit.line, hit.offset, hit.next, hit.span) for hit in all_hits(said)] == expected


async def test_a_long_random_log_in_blocks_of_the_usual_size(logs: FileLogStore) -> None:
    """Lines across the borders of large blocks are found once, with their numbers."""
    pick = random.Random(4)
    lines = [pick.randbytes(pick.randint(0, 9000)).replace(b"\n", b" ") for _ in range(1500)]
    wanted = sorted(pick.sample(range(1500), 200))
    for number in wanted:
        at = pick.randint(0, len(lines[number]))
        lines[number] = lines[number][:at] + b"\x00needle\xfe" + lines[number][at:]
    logs.create(7)
    logs.append(7, 0, [], b"\n".join(lines))
    search = LogSearch(logs)
    hits = all_hits(await found(search, wish("\0needle"), Stretch(7, 0, logs.end(7))))
    assert [hit.line - 1 for hit in hits] == wanted
    for hit in hits:
        assert logs.read(7, hit.offset, hit.offset + 7) == b"\0needle"
        assert logs.line_at(7, hit.offset) == hit.line
    search.close()
