"""The proof of a log: every byte from the archive to what its writer declared."""

from __future__ import annotations

import random
import zlib
from pathlib import Path

import pytest

from tailrace.domain.errors import ArchiveAway, LogRemoved, NotFound
from tailrace.domain.spans import Span, Stream
from tailrace.domain.states import LogState
from tailrace.logs.archive import MARK
from tailrace.logs.proof import Proof, Prover
from tailrace.logs.segment_reader import Segments
from tailrace.store.segments import SealedPart
from tests.support.sealing import SealedLogs

DATA = b"".join(b"line %05d\n" % number for number in range(3000))[:30_000]


class World:
    """Log 7 of DATA, sealed up to two places; `declared` is its row."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs = SealedLogs(folder, {}, random.Random(1), frame_bytes=4096)
        self.logs.create(7)
        self.logs.append(7, 0, [Span(0, 5, Stream.STDOUT, 0)], DATA)
        self.logs.seal(7, 10_000)
        self.logs.seal(7, 20_000)
        self.state = LogState.CLOSED
        self.declared: tuple[int | None, int | None] = (len(DATA), zlib.crc32(DATA))
        self.removed_at: int | None = None

    def find(self, log: int) -> SealedPart | None:
        if log != 7:
            return None
        part = self.logs.find(7, 0)
        assert part is not None
        return part._replace(
            state=self.state,
            size=self.declared[0],
            crc32=self.declared[1],
            removed_at=self.removed_at,
            removed_why="too old",
        )

    def prove(self, log: int = 7) -> Proof:
        return Prover(self.logs.tail, self.logs.archive, Segments(self.logs.archive), self.find).prove(log)

    def object(self, number: int) -> Path:
        return self.folder / "archive" / self.logs.rows[7][number].key


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_whole_log_is_proved_wherever_it_is(world: World) -> None:
    """Partly in the tail, then wholly in the archive."""
    for segments in (2, 3):
        proof = world.prove()
        assert proof.ok
        assert (proof.size, proof.crc32) == (len(DATA), zlib.crc32(DATA))
        assert [one.ok for one in proof.segments] == [True] * segments
        assert proof.detail == f"30000 bytes with CRC-32 {zlib.crc32(DATA):08x}, as its writer declared"
        if segments == 2:
            world.logs.finish(7)


def test_an_open_and_a_truncated_log_say_what_can_be_said(world: World) -> None:
    """There is nothing to compare with but what was sealed."""
    world.state, world.declared = LogState.OPEN, (None, None)
    assert world.prove().ok
    assert "still written: 30000 bytes" in world.prove().detail
    world.state, world.declared = LogState.TRUNCATED, (len(DATA), None)
    assert world.prove().ok
    assert "its writer was lost" in world.prove().detail


def test_a_log_that_nobody_began_has_no_writer(world: World) -> None:
    """Its attempt was aborted before an agent had it: no writer declared anything."""
    world.logs.create(8)
    row = SealedPart(LogState.CLOSED, 0, None, False, None, None, ())
    archive = world.logs.archive
    proof = Prover(world.logs.tail, archive, Segments(archive), lambda _: row).prove(8)
    assert proof.ok
    assert "before an agent began it" in proof.detail
    assert "declared" not in proof.detail


@pytest.mark.parametrize("number", [0, 1])
def test_a_flipped_bit_is_found_and_blamed_on_its_segment(world: World, number: int) -> None:
    """The others are still proved."""
    data = bytearray(world.object(number).read_bytes())
    data[len(data) // 3] ^= 4
    world.object(number).write_bytes(data)
    proof = world.prove()
    assert not proof.ok
    assert [one.ok for one in proof.segments] == [number != 0, number != 1]
    assert f"segment {number}: the object 7/{number}" in proof.detail
    assert "SHA-256" in proof.detail


def test_a_missing_object_is_found(world: World) -> None:
    """It is named."""
    world.object(1).unlink()
    proof = world.prove()
    assert not proof.ok
    assert "the archive has no object 7/1" in (proof.segments[1].detail or "")


def test_what_the_writer_declared_decides(world: World) -> None:
    """Size and checksum, each by itself; bytes that are nowhere show in the size."""
    world.declared = (len(DATA) + 1, zlib.crc32(DATA))
    assert "30000 bytes are held, and its writer declared 30001" in world.prove().detail
    world.declared = (len(DATA), 5)
    assert "its writer declared 00000005" in world.prove().detail
    world.declared = (len(DATA), zlib.crc32(DATA))
    world.logs.tail.remove(7)
    assert not world.prove().ok
    assert "20000 bytes are held" in world.prove().detail


def test_segments_that_are_whole_but_not_of_this_log_are_found(world: World) -> None:
    """Each frame and object is right, and yet the running checksum differs."""
    rows = world.logs.rows[7]
    rows[0] = rows[0]._replace(crc32=rows[0].crc32 ^ 1)
    proof = world.prove()
    assert not proof.segments[0].ok
    assert "when it was sealed" in proof.detail


def test_an_archive_that_is_away_proves_nothing(world: World) -> None:
    """Neither right nor wrong; and unknown and removed logs are what they are."""
    (world.folder / "archive" / MARK).unlink()
    world.object(0).unlink()
    with pytest.raises(ArchiveAway):
        world.prove()
    with pytest.raises(NotFound):
        world.prove(8)
    world.removed_at = 0
    with pytest.raises(LogRemoved, match="1970-01-01: too old"):
        world.prove()
