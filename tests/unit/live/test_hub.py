"""The hub: joins without a gap or a double, shared pieces, who is watched."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tailrace.domain.errors import Invalid, NotFound
from tailrace.domain.spans import Span, Stream
from tailrace.live.hub import LogHub, LogView
from tailrace.live.pieces import PIECE_BYTES, Piece
from tailrace.live.signal import Signal
from tailrace.live.tail import TAIL_BYTES, TAIL_PIECES, Cursor, End, Gap
from tests.support.live_house import CountedReads, LiveHouse, in_time, until


class Reader:
    """Takes all that a cursor gives, checking that it is contiguous."""

    def __init__(self, hub: LogHub) -> None:
        self.hub = hub
        self.signal = Signal()
        self.data = b""
        self.pieces: list[Piece] = []
        self.gaps: list[Gap] = []
        self.end: End | None = None
        self.cursor: Cursor | None = None

    async def watch(self, log: int = 7, **place: int | bool) -> Reader:
        self.cursor = await self.hub.watch(log, self.signal.set, **place)  # pyright: ignore[reportArgumentType]
        return self

    async def step(self) -> bool:
        """Take one thing; False when there is nothing."""
        assert self.cursor is not None
        before = self.cursor.offset
        item = self.cursor.take()
        if item is None and self.cursor.behind:
            item = await self.hub.fetch(self.cursor)
        match item:
            case Piece():
                assert item.offset == before
                assert item.spans[0].offset == item.offset
                self.data += item.data
                self.pieces.append(item)
            case Gap():
                assert item.start == before
                self.gaps.append(item)
            case End():
                self.end = item
                return False
            case None:
                return False
        return True

    async def drain(self) -> bytes:
        while await self.step():
            pass
        return self.data

    async def until(self, size: int) -> bytes:
        while len(self.data) < size:
            if not await self.step() and self.end is None:
                await in_time(self.signal.wait())
        return self.data

    async def until_end(self) -> bytes:
        while self.end is None:
            if not await self.step() and self.end is None:
                await in_time(self.signal.wait())
        return self.data

    def leave(self) -> None:
        assert self.cursor is not None
        self.hub.leave(self.cursor)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncGenerator[LiveHouse]:
    """Logs and hubs without a server; log 7 is there and empty."""
    made = LiveHouse(tmp_path / "logs")
    made.create(7)
    yield made
    made.logs.close()


async def test_a_reader_from_every_offset_gets_the_rest(house: LiveHouse) -> None:
    """Of what was there before it came and of what comes after, whether in mid-piece or in mid-character."""
    whole = "grüße 汉字 🙂\n".encode() * 3
    half = len(whole) // 2
    house.append(7, whole[:half])
    readers = [await Reader(house.hub).watch(start=start) for start in range(len(whole) + 1)]
    for at in range(half, len(whole)):
        house.append(7, whole[at : at + 1])
    house.end(7)
    for start, reader in enumerate(readers):
        assert await reader.until_end() == whole[start:]


async def test_joining_while_the_log_grows_misses_and_doubles_nothing(house: LiveHouse) -> None:
    """Readers come from the beginning, the middle and the end while appends happen in threads between every await."""
    pick = random.Random(7)
    whole = pick.randbytes(300_000)
    readers: list[tuple[int, Reader]] = []

    async def write() -> None:
        at = 0
        while at < len(whole):
            size = pick.randint(1, 3000)
            block = whole[at : at + size]
            spans = [Span(at, at, Stream.STDOUT, 0)]
            await asyncio.to_thread(house.logs.append, 7, at, spans, block)
            await asyncio.sleep(0)
            house.hub.grew(7, at, spans, block)
            at += len(block)
        house.end(7)

    async def read() -> None:
        start = pick.randint(0, house.logs.end(7))
        reader = await Reader(house.hub).watch(start=start)
        readers.append((start, reader))
        await reader.until_end()
        reader.leave()

    writing = asyncio.create_task(write())
    reading: list[asyncio.Task[None]] = []
    while not writing.done():
        reading.append(asyncio.create_task(read()))
        await asyncio.sleep(0.001)
    await in_time(asyncio.gather(writing, *reading))
    assert len(readers) > 10
    for start, reader in readers:
        assert reader.data == whole[start:]


async def test_watchers_share_the_pieces_that_come(house: LiveHouse) -> None:
    """The same objects, so they are encoded once."""
    one, two = await Reader(house.hub).watch(), await Reader(house.hub).watch()
    for word in (b"one ", b"two ", b"three"):
        house.append(7, word)
        await one.until(len(one.data) + 1)
        await two.until(len(one.data))
    assert one.data == b"one two three"
    assert [id(piece) for piece in one.pieces] == [id(piece) for piece in two.pieces]


async def test_watchers_share_what_is_read_from_the_store(house: LiveHouse) -> None:
    """Fifty at once from the beginning, and a late one: each stretch is read once."""
    whole = random.Random(1).randbytes(5 * PIECE_BYTES)
    house.append(7, whole)
    readers = [await Reader(house.hub).watch() for _ in range(50)]
    house.logs.reads.clear()
    await in_time(asyncio.gather(*(reader.drain() for reader in readers)))
    late = await Reader(house.hub).watch()
    await late.drain()
    assert all(reader.data == whole for reader in [*readers, late])
    stretches = [read for read in house.logs.reads if read[1] < len(whole) - 3]
    assert len(stretches) == len(set(stretches)) == 5
    assert all(len(piece.data) <= PIECE_BYTES + 3 for piece in late.pieces)


async def test_readers_from_different_places_meet(house: LiveHouse) -> None:
    """After its first piece a reader shares the stretches of the others, also where they cut characters."""
    whole = "汉".encode() * (PIECE_BYTES)
    house.append(7, whole)
    first, second = await Reader(house.hub).watch(), await Reader(house.hub).watch(start=30)
    assert await first.drain() == whole
    assert await second.drain() == whole[30:]
    assert [id(piece) for piece in first.pieces[1:]] == [id(piece) for piece in second.pieces[1:]]
    for piece in first.pieces:
        piece.data.decode()


async def test_the_first_bytes_come_at_once_and_a_burst_as_one_piece(
    house: LiveHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Coalescing delays nothing that stands alone."""
    monkeypatch.setattr("tailrace.live.tail.FRAME_S", 1.0)
    reader = await Reader(house.hub).watch()
    house.append(7, b"first")
    assert await reader.drain() == b"first"
    for _ in range(100):
        house.append(7, b"burst ")
    await reader.until(605)
    assert [len(piece.data) for piece in reader.pieces] == [5, 600]


async def test_an_unfinished_character_waits_for_its_rest_or_the_end(house: LiveHouse) -> None:
    """It is held back when it comes, and when it is there already as the first watcher comes."""
    house.append(7, b"a\xf0\x9f")
    early = await Reader(house.hub).watch()
    assert await early.drain() == b"a"
    house.append(7, b"\x99")
    house.append(7, b"\x82b\xe6\xb1")
    await early.until(6)
    assert early.data == "a🙂b".encode()
    house.end(7)
    assert await early.until_end() == "a🙂b".encode() + b"\xe6\xb1"


async def test_the_resident_tail_is_bounded(house: LiveHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """By bytes and by pieces; a reader that does not read gets the rest from the store."""
    monkeypatch.setattr("tailrace.live.tail.FRAME_S", 0.0005)  # for each of the pieces it is waited for
    idle = await Reader(house.hub).watch()
    for _ in range(24):
        house.append(7, bytes(PIECE_BYTES))
    assert idle.cursor is not None
    tail = idle.cursor.tail
    assert tail.end - tail.start <= TAIL_BYTES
    assert tail.end == 24 * PIECE_BYTES
    await idle.drain()
    assert len(idle.data) == 24 * PIECE_BYTES
    busy = await Reader(house.hub).watch(start=tail.end)
    for number in range(TAIL_PIECES + 20):
        house.append(7, b"x")
        await busy.until(number + 1)
    assert tail.end - tail.start <= TAIL_PIECES


async def test_one_who_falls_behind_skips_only_if_it_may(house: LiveHouse) -> None:
    """And never while it has not yet caught up: it asked for those bytes."""
    house.append(7, b"old" * 1000)
    may = await Reader(house.hub).watch(skips=True)
    never = await Reader(house.hub).watch()
    behind = await Reader(house.hub).watch(skips=True)
    await may.drain()
    await never.drain()
    whole = b"old" * 1000
    for _ in range(12):
        block = random.Random(3).randbytes(PIECE_BYTES)
        house.append(7, block)
        whole += block
    house.end(7)
    assert await never.until_end() == whole
    assert await behind.until_end() == whole
    await may.until_end()
    assert may.gaps == [Gap(3000, len(whole) - PIECE_BYTES)]
    assert may.data == whole[:3000] + whole[-PIECE_BYTES:]
    assert never.gaps == behind.gaps == []


async def test_the_span_in_force_begins_every_piece(house: LiveHouse) -> None:
    """Also where the appended bytes bring no span of their own."""
    house.append(7, b"out", [Span(0, 11, Stream.STDOUT, 1)])
    house.append(7, b"err", [Span(3, 12, Stream.STDERR, 2)])
    reader = await Reader(house.hub).watch(start=6)
    house.append(7, b"more", [])
    await reader.until(4)
    assert reader.pieces[0].spans == [Span(6, 12, Stream.STDERR, 2)]
    house.append(7, b"andsys", [Span(13, 13, Stream.SYSTEM, 3)])
    await reader.until(10)
    assert reader.pieces[1].spans == [Span(10, 12, Stream.STDERR, 2), Span(13, 13, Stream.SYSTEM, 3)]


async def test_the_last_lines_are_a_place_to_begin(house: LiveHouse) -> None:
    """Counted when the watcher comes."""
    house.append(7, b"1\n2\n3\n4\n")
    reader = await Reader(house.hub).watch(lines=2)
    assert await reader.drain() == b"3\n4\n"


async def test_an_unknown_log_is_not_found_and_leaves_nothing(house: LiveHouse) -> None:
    """Nor does one that retention removed."""
    house.ended[7] = LogView("removed", 0)
    for log in (7, 8):
        results = await asyncio.gather(
            *(house.hub.watch(log, Signal().set) for _ in range(3)), return_exceptions=True
        )
        assert [type(result) for result in results] == [NotFound] * 3
        assert not house.hub.watched(log)


async def test_a_log_whose_writer_has_not_begun_is_empty(house: LiveHouse) -> None:
    """The store knows it, nobody has created it."""
    house.known.add(9)
    reader = await Reader(house.hub).watch(9)
    assert await reader.drain() == b""
    house.create(9)
    house.append(9, b"begun")
    assert await reader.until(5) == b"begun"


async def test_an_ended_log_ends_at_once(house: LiveHouse) -> None:
    """With its size and state, after its bytes; one that asks for more is refused."""
    house.append(7, b"all there is\xe6")
    house.end(7, "truncated")
    reader = await Reader(house.hub).watch()
    assert await reader.until_end() == b"all there is\xe6"
    assert reader.end == End(13, "truncated")
    late = await Reader(house.hub).watch(start=13)
    assert (await late.until_end(), late.end) == (b"", End(13, "truncated"))
    with pytest.raises(Invalid, match="13"):
        await house.hub.watch(7, Signal().set, start=14)


async def test_appends_that_were_not_told_are_found_again(house: LiveHouse) -> None:
    """By the next one that is told, by a resync, or by the end; small or large."""
    reader = await Reader(house.hub).watch()
    house.logs.append(7, 0, [Span(0, 1, Stream.STDERR, 1)], b"untold ")
    house.append(7, b"told ")
    assert await reader.until(12) == b"untold told "
    house.logs.append(7, 12, [], b"resync ")
    house.hub.resync(7)
    assert await reader.until(19) == b"untold told resync "
    large = random.Random(2).randbytes(2 * TAIL_BYTES)
    house.logs.append(7, 19, [], large)
    house.hub.resync(7)
    assert await reader.until(19 + len(large)) == b"untold told resync " + large
    house.logs.append(7, 19 + len(large), [], b"end")
    house.end(7)
    assert (await reader.until_end()).endswith(large + b"end")


async def test_a_repeated_append_is_not_told_twice(house: LiveHouse) -> None:
    """Whole or in part, what watchers have is not theirs again."""
    reader = await Reader(house.hub).watch()
    house.append(7, b"0123456789")
    house.hub.grew(7, 0, [], b"0123456789")
    house.hub.grew(7, 5, [], b"56789")
    house.logs.append(7, 10, [], b"ab")
    house.hub.grew(7, 8, [], b"89ab")
    assert await reader.until(12) == b"0123456789ab"


async def test_a_log_that_cannot_be_looked_at_is_looked_at_again(
    house: LiveHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fails for a moment costs latency; the watcher stays and misses nothing."""
    reader = await Reader(house.hub).watch()
    monkeypatch.setattr("tailrace.live.hub.RETRY_S", 0.01)
    real, failed = house.logs.end, asyncio.Event()
    loop = asyncio.get_running_loop()

    def fail(log: int) -> int:
        loop.call_soon_threadsafe(failed.set)
        raise OSError("the disk is away")

    house.logs.append(7, 0, [], b"un")
    monkeypatch.setattr(house.logs, "end", fail)
    house.hub.grew(7, 5, [], b"x")
    await in_time(failed.wait())
    monkeypatch.setattr(house.logs, "end", real)
    house.logs.append(7, 2, [], b"toldx")
    assert await reader.until(7) == b"untoldx"


async def test_who_decides_the_cadence_hears_of_the_first_and_the_last(house: LiveHouse) -> None:
    """Once each, for open logs; not for one that has ended, nor after the callback was taken back."""
    heard: list[tuple[int, bool]] = []
    stop = house.hub.on_watched(lambda log, watched: heard.append((log, watched)))
    one, two = await Reader(house.hub).watch(), await Reader(house.hub).watch()
    assert (heard, house.hub.watched(7)) == ([(7, True)], True)
    one.leave()
    assert heard == [(7, True)]
    two.leave()
    assert (heard, house.hub.watched(7)) == ([(7, True), (7, False)], False)
    stop()
    (await Reader(house.hub).watch()).leave()
    house.end(7)
    house.hub.on_watched(lambda log, watched: heard.append((log, watched)))
    (await Reader(house.hub).watch()).leave()
    assert heard == [(7, True), (7, False)]


async def test_a_watcher_that_is_cancelled_while_it_joins_leaves_nothing(house: LiveHouse) -> None:
    """Its connection broke before the log was found."""
    joining = asyncio.create_task(house.hub.watch(7, Signal().set))
    await asyncio.sleep(0)
    joining.cancel()
    await asyncio.gather(joining, return_exceptions=True)
    await until(lambda: not house.hub.watched(7), "the hub to forget the log")


async def test_bytes_that_the_store_lost_are_an_error(tmp_path: Path) -> None:
    """Never a watcher that waits for ever."""
    logs = CountedReads(tmp_path)
    logs.create(7)
    logs.append(7, 0, [], b"lost")

    async def describe(_: int) -> LogView:
        return LogView("open", 4)

    hub = LogHub(logs, describe)
    cursor = await hub.watch(7, Signal().set)
    logs.remove(7)
    logs.create(7)
    assert cursor.take() is None
    with pytest.raises(OSError, match="not held any more"):
        await hub.fetch(cursor)
    logs.close()


class Line:
    """A sink that is full after so many writes."""

    def __init__(self, room: int = 1_000_000) -> None:
        self.room = room
        self.frames: list[bytes] = []
        self.cursor: Cursor | None = None
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1

    async def follow(self, hub: LogHub) -> Line:
        self.cursor = await hub.watch(7, self.wake)
        assert self.cursor.take() is None
        self.cursor.follow(self, Piece.sse)
        return self

    def write(self, data: bytes) -> None:
        self.frames.append(data)
        self.room -= 1
        if not self.room and self.cursor is not None:
            assert self.cursor.pause()


async def test_who_follows_is_written_to_in_the_same_turn(house: LiveHouse) -> None:
    """The same bytes to each, with no wake; who came in between takes the piece and then follows too."""
    lines = [await Line().follow(house.hub) for _ in range(3)]
    house.append(7, b"one")
    assert [len(line.frames) for line in lines] == [1, 1, 1]
    assert len({id(line.frames[0]) for line in lines}) == 1
    assert [line.woken for line in lines] == [0, 0, 0]
    assert all(line.cursor and line.cursor.offset == 3 for line in lines)


async def test_one_that_is_full_goes_on_from_there(house: LiveHouse) -> None:
    """In the middle of a burst of several pieces as well; nobody else is held up or skipped."""
    full, free = await Line(room=2).follow(house.hub), await Line().follow(house.hub)
    house.append(7, bytes(5 * PIECE_BYTES))
    assert (len(full.frames), len(free.frames)) == (2, 5)
    assert full.cursor is not None
    assert full.cursor.offset == 2 * PIECE_BYTES
    rest = [full.cursor.take() for _ in range(4)]
    assert [piece.offset if isinstance(piece, Piece) else piece for piece in rest] == [
        2 * PIECE_BYTES,
        3 * PIECE_BYTES,
        4 * PIECE_BYTES,
        None,
    ]
    full.room = 10
    full.cursor.follow(full, Piece.sse)
    house.append(7, b"x" * PIECE_BYTES)
    await until(lambda: len(free.frames) == 6, "the next piece")
    assert len(full.frames) == 3


async def test_one_that_cannot_be_written_to_harms_nobody_else(house: LiveHouse) -> None:
    """Nor the agent whose bytes they are."""

    class Broken(Line):
        def write(self, data: bytes) -> None:
            raise RuntimeError("the handle is closed")

    await Broken().follow(house.hub)
    well = await Line().follow(house.hub)
    house.append(7, b"one")
    assert len(well.frames) == 1


async def test_who_follows_is_woken_for_the_end_and_for_a_hole(house: LiveHouse) -> None:
    """What comes next is then no piece: it is to be taken."""
    line = await Line().follow(house.hub)
    house.append(7, b"all")
    house.logs.append(7, 3, [], bytes(3 * TAIL_BYTES))
    house.hub.resync(7)
    await until(lambda: line.woken == 1, "a wake")
    assert line.cursor is not None
    assert (len(line.frames), line.cursor.offset, line.cursor.behind) == (1, 3, True)
    line.cursor.offset = 3 + 3 * TAIL_BYTES
    assert line.cursor.take() is None
    line.cursor.follow(line, Piece.sse)
    house.end(7)
    assert line.woken == 2
    assert line.cursor.take() == End(3 + 3 * TAIL_BYTES, "closed")


async def test_who_has_left_is_not_written_to(house: LiveHouse) -> None:
    """Nor kept."""
    line, other = await Line().follow(house.hub), await Line().follow(house.hub)
    assert line.cursor is not None
    house.hub.leave(line.cursor)
    house.append(7, b"one")
    assert (line.frames, len(other.frames)) == ([], 1)


async def test_one_that_catches_up_while_it_is_written_to_gets_nothing_twice(house: LiveHouse) -> None:
    """Its transport filled and drained within one burst of pieces."""

    class Drained(Line):
        def write(self, data: bytes) -> None:
            super().write(data)
            if len(self.frames) == 1:
                assert self.cursor is not None
                self.cursor.pause()
                while isinstance(piece := self.cursor.take(), Piece):
                    self.frames.append(piece.sse())
                self.cursor.follow(self, Piece.sse)

    line = await Drained().follow(house.hub)
    house.append(7, bytes(5 * PIECE_BYTES))
    assert len(line.frames) == 5
    assert len({id(frame) for frame in line.frames}) == 5
