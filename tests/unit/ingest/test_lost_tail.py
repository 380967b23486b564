"""A live tail that is lost while its log is written: what segments hold is not lost with it."""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import replace
from functools import partial
from pathlib import Path

from tailrace.domain.spans import Span, Stream
from tailrace.domain.wire import Ack, CloseLog, Gap, LogClosed, pack_chunk
from tailrace.ingest.session import Session
from tailrace.logs.archive import Archive
from tailrace.logs.composite import CompositeLogs
from tailrace.logs.sealer import Sealer
from tailrace.logs.segment_reader import Segments
from tailrace.store.leases import Handover
from tailrace.store.segments import find_sealed
from tests.unit.ingest.world import World
from tests.unit.store.world import lease, start

WHOLE = b"".join(b"line %07d\n" % number for number in range(20_000))
SEALED, FREED, STEP = 50_000, 60_000, 10_000


async def test_what_the_archive_has_is_no_gap(world: World, tmp_path: Path) -> None:
    """The agent has freed its bytes and the tail is gone: the log goes on where its segments end, and is whole."""
    (leased,) = await world.store.write(lease, world.agent)
    await world.store.write(start, world.agent, leased.attempt)
    archive = Archive(f"file://{tmp_path / 'archive'}")
    reader = CompositeLogs(world.desk.logs, Segments(archive), partial(world.store.read_now, find_sealed))
    session = Session(replace(world.desk, reader=reader), world.agent, world.told.append)
    session.deliver(Handover(leased))
    log = leased.log

    async def send(start: int, stop: int) -> None:
        for at in range(start, stop, STEP):
            span = Span(at, at, Stream.STDERR, 1)
            await session.chunks([pack_chunk(log, at, [span], WHOLE[at : min(at + STEP, stop)])])

    await send(0, SEALED + 5000)
    sealer = Sealer(world.store, world.desk.logs, archive, segment_bytes=SEALED)
    sealer.grew(log)
    await sealer.look()
    await sealer.settle()
    await sealer.close()
    world.desk.logs.remove(log)
    await session.gap(Gap(attempt=leased.attempt, log=log, end=SEALED))
    assert world.told[-1] == Ack(log=log, received=SEALED, durable=0)
    await send(SEALED, len(WHOLE))
    await session.close_log(
        CloseLog(attempt=leased.attempt, log=log, size=len(WHOLE), crc32=zlib.crc32(WHOLE), freed=FREED)
    )
    assert world.told[-1] == LogClosed(log=log)
    assert await asyncio.to_thread(reader.read, log, 0, len(WHOLE)) == WHOLE
    spans = await asyncio.to_thread(reader.spans, log, 0, len(WHOLE))
    assert spans == [Span(at, at, Stream.STDERR, 1) for at in range(0, len(WHOLE), STEP)]
