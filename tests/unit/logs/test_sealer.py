"""Sealing: logs go from the live tail to the archive, once, whatever dies meanwhile."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, update

from tailrace.domain.errors import ArchiveAway
from tailrace.domain.spans import Span, Stream
from tailrace.logs.archive import MARK, Archive
from tailrace.logs.base import end_of
from tailrace.logs.composite import CompositeLogs
from tailrace.logs.proof import Prover
from tailrace.logs.sealer import Sealer, remove_sealed_tails
from tailrace.logs.segment_reader import Segments
from tailrace.logs.tail_file import FileLogStore
from tailrace.store import Store, open_store
from tailrace.store.segments import (
    claim_growing,
    count_waiting,
    find_orphans,
    find_sealed,
    unseal,
)
from tailrace.store.sqlite import SqliteStore
from tailrace.store.tables import log as logs_table
from tailrace.store.tables import orphan as orphans
from tests.support.databases import migrated

SEGMENT = 10_000


@dataclass
class Cellar:
    """A store, a live tail and an archive, with sealers as processes would have them."""

    store: Store
    folder: Path

    def __post_init__(self) -> None:
        self.tail = FileLogStore(self.folder / "logs")
        self.archive = Archive(f"file://{self.folder / 'archive'}")
        self.sealers: list[Sealer] = []

    def sealer(
        self, archive: Archive | None = None, *, delay_s: float = 0, segment_bytes: int = SEGMENT
    ) -> Sealer:
        self.sealers.append(
            Sealer(
                self.store,
                self.tail,
                archive or self.archive,
                delay_s=delay_s,
                segment_bytes=segment_bytes,
            )
        )
        return self.sealers[-1]

    @property
    def reader(self) -> CompositeLogs:
        return CompositeLogs(self.tail, Segments(self.archive), partial(self.store.read_now, find_sealed))

    async def log(self, id: int, data: bytes, *, state: str = "closed") -> None:
        """A log that holds `data`, and was closed unless it is still open."""
        await self.store.write(a_log, id, state, data)
        self.tail.create(id)
        spans = [Span(at, 1000 + at, Stream.STDOUT, 0) for at in range(0, len(data), 700)]
        self.tail.append(id, 0, spans, data)

    async def state(self, id: int) -> str:
        part = await self.store.read(find_sealed, id)
        assert part is not None
        return part.state.value

    async def seal(self, sealer: Sealer) -> None:
        """Rounds until nothing is left to do."""
        await sealer.look()
        await sealer.settle()

    async def holds(self, id: int, data: bytes) -> None:
        """The log reads as `data`, and is proved."""
        reader = self.reader
        assert await asyncio.to_thread(reader.end, id) == len(data)
        assert await asyncio.to_thread(reader.read, id, 0, len(data) + 1) == data
        segments = Segments(self.archive)
        prover = Prover(self.tail, self.archive, segments, partial(self.store.read_now, find_sealed))
        proof = await asyncio.to_thread(prover.prove, id)
        assert proof.ok, proof.detail


def a_log(connection: Connection, id: int, state: str, data: bytes) -> None:
    ended = {} if state == "open" else {"size": len(data), "closed_at": 1}
    crc = {"crc32": zlib.crc32(data)} if state == "closed" else {}
    connection.execute(insert(logs_table).values(id=id, state=state, created_at=1, **ended, **crc))


def end_log(connection: Connection, id: int, data: bytes, state: str = "closed") -> None:
    connection.execute(
        update(logs_table)
        .where(logs_table.c.id == id)
        .values(state=state, size=len(data), crc32=zlib.crc32(data), closed_at=1)
    )


def text(size: int) -> bytes:
    return b"".join(b"line %07d\n" % number for number in range(size // 13 + 1))[:size]


@pytest.fixture
async def cellar(tmp_path: Path) -> AsyncIterator[Cellar]:
    store = await open_store(migrated(tmp_path / "tailrace.db"))
    cellar = Cellar(store, tmp_path)
    yield cellar
    for sealer in cellar.sealers:
        await sealer.close()
    cellar.tail.close()
    await store.close()


async def test_logs_that_ended_are_sealed_and_leave_the_tail(cellar: Cellar) -> None:
    """Empty, small and of several segments; a truncated one stays truncated."""
    sizes = {1: 0, 2: 5, 3: SEGMENT, 4: 3 * SEGMENT + 17}
    for id, size in sizes.items():
        await cellar.log(id, text(size))
    await cellar.log(5, text(100), state="truncated")
    await cellar.store.write(a_log, 6, "closed", b"")  # its attempt was aborted in the queue: it has no file
    await cellar.seal(cellar.sealer())
    for id, size in sizes.items():
        assert await cellar.state(id) == "sealed"
        await cellar.holds(id, text(size))
    assert (await cellar.state(5), await cellar.state(6)) == ("truncated", "sealed")
    await cellar.holds(5, text(100))
    await cellar.holds(6, b"")
    assert list(cellar.tail.held()) == []
    assert await cellar.store.read(count_waiting) == (0, 0, None)
    part = await cellar.store.read(find_sealed, 4)
    assert part is not None
    assert part.whole
    assert [(row.start, row.stop) for row in part.segments] == [
        (0, 10_000),
        (10_000, 20_000),
        (20_000, 30_000),
        (30_000, 30_017),
    ]
    assert part.segments[1].crc32 == zlib.crc32(text(20_000))
    assert part.segments[2].first_line == text(20_000).count(b"\n")


async def test_a_small_log_waits_and_a_large_one_does_not(cellar: Cellar) -> None:
    """Small ones are sealed many at once, some seconds after their end."""
    await cellar.log(1, text(5))
    await cellar.log(2, text(1024 * 1024))
    await cellar.store.write(just_ended, 1)
    await cellar.store.write(just_ended, 2)
    await cellar.seal(cellar.sealer(delay_s=3600, segment_bytes=2**20))
    assert [await cellar.state(id) for id in (1, 2)] == ["closed", "sealed"]


def just_ended(connection: Connection, id: int) -> None:
    connection.execute(update(logs_table).where(logs_table.c.id == id).values(closed_at=2**50))


async def test_a_growing_log_is_sealed_by_stretches_and_goes_on(cellar: Cellar) -> None:
    """Its tail lets go of what is sealed; the checksum of the whole goes on from there, also after a restart."""
    whole = text(5 * SEGMENT + 99)
    await cellar.log(1, whole[: 2 * SEGMENT + 5], state="open")
    sealer = cellar.sealer()
    sealer.grew(1)
    await cellar.seal(sealer)
    assert cellar.tail.base(1).offset == 2 * SEGMENT
    assert await cellar.state(1) == "open"
    await cellar.holds(1, whole[: 2 * SEGMENT + 5])
    cellar.tail.close()
    cellar.tail = FileLogStore(cellar.folder / "logs")
    cellar.tail.append(1, 2 * SEGMENT + 5, [], whole[2 * SEGMENT + 5 :])
    cellar.tail.verify(1, len(whole), zlib.crc32(whole))
    await cellar.holds(1, whole)
    await cellar.store.write(end_log, 1, whole)
    await cellar.seal(cellar.sealer())
    assert await cellar.state(1) == "sealed"
    await cellar.holds(1, whole)


async def test_a_log_that_ends_while_it_is_sealed_is_sealed_to_its_end(cellar: Cellar) -> None:
    """Whoever seals a stretch sees at its commit that the log has ended."""
    whole = text(2 * SEGMENT + 7)
    await cellar.log(1, whole, state="open")
    sealer = cellar.sealer()
    sealer.grew(1)
    await sealer.look()
    await cellar.store.write(end_log, 1, whole)
    await sealer.settle()
    await cellar.seal(sealer)
    assert await cellar.state(1) == "sealed"
    await cellar.holds(1, whole)


async def test_two_sealers_share_the_logs(cellar: Cellar) -> None:
    """Each log is claimed by one of them, and has each stretch once."""
    for id in range(1, 41):
        await cellar.log(id, text(id * 1000))
    first, second = cellar.sealer(), cellar.sealer()
    await asyncio.gather(first.look(), second.look())
    await asyncio.gather(first.settle(), second.settle())
    await cellar.seal(first)
    for id in range(1, 41):
        assert await cellar.state(id) == "sealed"
        await cellar.holds(id, text(id * 1000))
    assert await cellar.store.read(find_orphans, 100, -1000) == []


async def test_an_archive_that_is_away_delays_sealing_and_loses_nothing(cellar: Cellar) -> None:
    """It is shown, asked again now and then, and everything is sealed when it is back."""
    await cellar.log(1, text(5))
    await cellar.seal(cellar.sealer())
    mounted, elsewhere = cellar.folder / "archive", cellar.folder / "elsewhere"
    mounted.rename(elsewhere)
    mounted.mkdir()
    await cellar.log(2, text(3 * SEGMENT))
    sealer = cellar.sealer()
    await cellar.seal(sealer)
    assert sealer.state.away is not None
    assert "not mounted" in sealer.state.away
    assert sealer.state.since is not None
    assert await cellar.state(2) == "closed"
    assert end_of(cellar.tail, 2) == 3 * SEGMENT
    waiting = await cellar.store.read(count_waiting)
    assert (waiting.logs, waiting.bytes) == (1, 3 * SEGMENT)
    with pytest.raises(ArchiveAway):
        await asyncio.to_thread(cellar.reader.read, 1, 0, 5)
    assert await asyncio.to_thread(cellar.reader.read, 2, 0, 5) == text(5), "what waits can be read"
    mounted.rmdir()  # nothing was put below the place of the mount
    elsewhere.rename(mounted)
    while await cellar.state(2) != "sealed":
        await cellar.seal(sealer)
        await asyncio.sleep(0.01)
    await cellar.holds(2, text(3 * SEGMENT))


class Full(Archive):
    """Refuses objects, as a disk without room does, while `full`."""

    full = True

    def put(self, key: str, data: bytes, sha256: str) -> None:
        if self.full:
            raise ArchiveAway(self.url, "No space left on device")
        super().put(key, data, sha256)


async def test_a_full_archive_is_tried_with_one_log_at_a_time(cellar: Cellar) -> None:
    """Its mark is there, and yet it is away until an object could be put."""
    archive = Full(cellar.archive._files.unstrip_protocol(cellar.archive._root))  # pyright: ignore[reportPrivateUsage]
    for id in range(1, 21):
        await cellar.log(id, text(100))
    sealer = cellar.sealer(archive)
    await cellar.seal(sealer)
    assert sealer.state.away == "No space left on device"
    archive.full = False
    while (await cellar.store.read(count_waiting)).logs:
        await cellar.seal(sealer)
        await asyncio.sleep(0.01)
    assert sealer.state.away is None
    for id in range(1, 21):
        await cellar.holds(id, text(100))


async def test_a_log_that_began_anew_is_not_sealed_with_its_old_bytes(cellar: Cellar) -> None:
    """Whoever was sealing it finds its claim gone; the old objects go from the archive."""
    wrong, right = b"?" * (SEGMENT + 5), text(SEGMENT + 5)
    await cellar.log(1, wrong, state="open")
    sealer = cellar.sealer()
    sealer.grew(1)
    await cellar.seal(sealer)
    old = await cellar.store.read(find_sealed, 1)
    assert old is not None
    await cellar.store.write(claim_growing, "somebody", 30_000, [1])
    await cellar.store.write(unseal, 1)
    cellar.tail.remove(1)
    cellar.tail.create(1)
    cellar.tail.append(1, 0, [], right)
    await cellar.store.write(end_log, 1, right)
    await cellar.seal(sealer)
    await cellar.holds(1, right)
    sealer.sweep_soon()
    await cellar.seal(sealer)
    assert not (cellar.folder / "archive" / old.segments[0].key).exists()
    await cellar.holds(1, right)


async def test_a_log_whose_bytes_are_gone_is_left_alone(cellar: Cellar) -> None:
    """It stays closed, and others are sealed."""
    await cellar.log(1, text(100))
    cellar.tail.remove(1)
    await cellar.log(2, text(100))
    await cellar.seal(cellar.sealer())
    assert [await cellar.state(id) for id in (1, 2)] == ["closed", "sealed"]


DIE = """
import asyncio, os, shutil, signal, sys
from pathlib import Path
from tailrace.logs.archive import Archive
from tailrace.logs.tail_file import FileLogStore
from tailrace.store.sqlite import SqliteStore
import tailrace.logs.sealer as module

def step(what):
    global count
    count -= 1
    if count == 0:
        print(what, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

def stepping(owner, name):
    plain = getattr(owner, name)
    def wrapped(*args, **kwargs):
        step("before " + name)
        answer = plain(*args, **kwargs)
        step("after " + name)
        return answer
    setattr(owner, name, wrapped)

async def seal(folder):
    store = SqliteStore(folder / "tailrace.db")
    tail = FileLogStore(folder / "logs")
    archive = Archive(f"file://{folder / 'archive'}")
    for owner, name in ((archive, "put"), (archive, "_write"), (tail, "drop"), (tail, "remove"), (os, "rename"),
                        (os, "unlink"), (module, "add_segment"), (module, "claim_ended"), (module, "build_segment")):
        stepping(owner, name)
    sealer = module.Sealer(store, tail, archive, delay_s=0, claim_s=0.01, segment_bytes=10_000)
    await sealer.look()
    await sealer.settle()

for number in range(1, 200):
    count = number
    folder = Path(sys.argv[1]) / str(number)
    shutil.copytree(sys.argv[2], folder)
    child = os.fork()
    if child == 0:
        asyncio.run(seal(folder))
        print("came to its end", flush=True)
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        break
"""


async def test_a_sealer_killed_at_any_step_is_taken_over_by_the_next(cellar: Cellar) -> None:
    """kill -9 before and after each of its steps: the log reads the same, the next one ends it, no object is left over."""
    whole = text(2 * SEGMENT + 500)
    await cellar.log(1, whole)
    worlds = cellar.folder / "worlds"
    worlds.mkdir()
    start = cellar.folder / "start"
    start.mkdir()
    await cellar.store.close()
    for name in ("tailrace.db", "logs"):
        (cellar.folder / name).rename(start / name)
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", DIE, worlds, start], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    *died, end = done.stdout.splitlines()
    assert end == "came to its end", done.stderr
    for step in ("claim_ended", "build_segment", "put", "_write", "add_segment", "drop", "rename", "remove"):
        assert f"before {step}" in died
        assert f"after {step}" in died
    for number in range(1, len(died) + 2):
        store = SqliteStore(worlds / str(number) / "tailrace.db")
        after = Cellar(store, worlds / str(number))
        await check_what_was_left(after, whole)
        after.tail.close()
        await store.close()


async def check_what_was_left(cellar: Cellar, whole: bytes) -> None:
    """The log as the sealer that died left it, and as the next one ends it."""
    await cellar.holds(1, whole)
    await remove_sealed_tails(cellar.store, cellar.tail, list(cellar.tail.held()))
    await cellar.holds(1, whole)
    sealer = cellar.sealer()
    await cellar.store.write(make_old)
    while await cellar.state(1) != "sealed":
        await cellar.seal(sealer)
    sealer.sweep_soon()
    await cellar.seal(sealer)
    await sealer.close()
    await cellar.holds(1, whole)
    assert list(cellar.tail.held()) == []
    part = await cellar.store.read(find_sealed, 1)
    assert part is not None
    archive = cellar.folder / "archive"
    there = {str(path.relative_to(archive)) for path in archive.rglob("*") if path.is_file()}
    assert there == {MARK, *(row.key for row in part.segments)}


def make_old(connection: Connection) -> None:
    """An hour later, for what was never finished and for the claim of whoever died."""
    connection.execute(update(orphans).values(created_at=0))
    connection.execute(update(logs_table).values(claimed_until=0))


async def test_sealing_thousands_of_small_logs_is_cheap(cellar: Cellar) -> None:
    """Many at once: the store's commits are shared, and nothing is done twice."""
    puts: list[str] = []

    class Counting(Archive):
        def put(self, key: str, data: bytes, sha256: str) -> None:
            puts.append(key)
            super().put(key, data, sha256)

    for id in range(1, 301):
        await cellar.log(id, text(id))
    sealer = cellar.sealer(Counting(f"file://{cellar.folder / 'archive'}"))
    while (await cellar.store.read(count_waiting)).logs:
        await cellar.seal(sealer)
    assert len(puts) == 300
    assert list(cellar.tail.held()) == []
