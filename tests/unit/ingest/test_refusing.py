"""What a server without room says, and what it does about bytes that it has lost."""

from __future__ import annotations

import asyncio
import errno
import os
import zlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from tailrace.domain.errors import Invalid
from tailrace.domain.facts import Started, StepBegan
from tailrace.domain.lease import Lease
from tailrace.domain.plan.model import LogSpec
from tailrace.domain.spans import Span, Stream
from tailrace.domain.wire import (
    Ack,
    CloseLog,
    Gap,
    Held,
    Leased,
    LogClosed,
    Noted,
    Refused,
    Rewind,
    Said,
    Stalled,
    Unnoted,
    pack_chunk,
)
from tailrace.ingest.handovers import Terms
from tailrace.live.scopes import run_scope
from tailrace.store.job_views import get_job
from tailrace.store.leases import Handover
from tailrace.store.logs import find_log
from tailrace.store.runs import get_run
from tests.unit.ingest.world import World
from tests.unit.store.world import finish, finished, lease, start


async def a_lease(world: World, *, begun: bool = True) -> Lease:
    (leased,) = await world.store.write(lease, world.agent)
    if begun:
        await world.store.write(start, world.agent, leased.attempt)
    return leased


async def stalled(world: World) -> str | None:
    run = await world.store.read(get_run, world.run)
    attempt = run.jobs[0].attempts[0]
    return world.desk.stalls.shown(attempt.id, attempt.stalled)


def full_disk(_log: int, *_: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


async def test_bytes_that_find_no_room_are_refused_and_the_session_lives(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent hears where the log ends and when to try again; whoever looks at the run hears why, until they are taken."""
    leased = await a_lease(world)
    session = world.session()
    session.deliver(Handover(leased))
    await session.chunks([pack_chunk(leased.log, 0, [], b"one")])
    woken: list[int | None] = []
    world.desk.bus.subscribe(run_scope(world.run), woken.append)
    with monkeypatch.context() as patch:
        patch.setattr(world.desk.logs, "append", full_disk)
        await session.chunks([pack_chunk(leased.log, 3, [], b"two")])
    (refused,) = world.heard(Refused)
    assert isinstance(refused, Refused)
    assert (refused.log, refused.end) == (leased.log, 3)
    assert refused.retry_s > 0
    assert "the server's disk is full" in refused.why
    assert await stalled(world) == refused.why == world.desk.room.trouble
    await asyncio.sleep(0)
    assert woken
    await session.chunks([pack_chunk(leased.log, 3, [], b"two")])
    assert world.told[-1] == Ack(log=leased.log, received=6, durable=0)
    assert await stalled(world) is None


async def test_a_reason_is_shown_though_the_store_has_no_room_for_it(
    world: World, no_room: Callable[[bool], None]
) -> None:
    """It is kept as soon as there is."""
    leased = await a_lease(world)
    session = world.session()
    session.deliver(Handover(leased))
    no_room(True)
    await session.stalled(Stalled(attempt=leased.attempt, why="the disk is full"))
    assert await stalled(world) == "the disk is full"
    run = await world.store.read(get_run, world.run)
    assert run.jobs[0].attempts[0].stalled is None
    no_room(False)
    await world.desk.stalls.save()
    run = await world.store.read(get_run, world.run)
    assert run.jobs[0].attempts[0].stalled == "the disk is full"
    await session.stalled(Stalled(attempt=leased.attempt, why=None))
    assert await stalled(world) is None


async def test_facts_that_find_no_room_are_said_again_in_order(
    world: World, no_room: Callable[[bool], None]
) -> None:
    """One that comes behind a refused one is not stored before it, or that one would be taken for stored."""
    leased = await a_lease(world, begun=False)
    session = world.session()
    session.deliver(Handover(leased))
    facts = [Started(time=1), StepBegan(time=2, step=0, name="one"), StepBegan(time=3, step=1, name="two")]
    said = [Said(attempt=leased.attempt, index=index, fact=fact) for index, fact in enumerate(facts)]
    await session.said_all([said[0]])
    no_room(True)
    await session.said_all([said[1]])
    no_room(False)
    await session.said_all([said[2]])
    assert [message.index for message in world.told if isinstance(message, Noted)] == [0]
    assert [message.index for message in world.told if isinstance(message, Unnoted)] == [1, 1]
    for one in said[1:]:
        await session.said_all([one])
    assert [message.index for message in world.told if isinstance(message, Noted)] == [0, 1, 2]
    (job,) = (await world.store.read(get_run, world.run)).jobs
    assert [step.name for step in job.attempts[0].steps] == ["one", "two"]


async def test_a_log_that_cannot_be_closed_now_is_closed_later(
    world: World, no_room: Callable[[bool], None]
) -> None:
    """The agent keeps everything until then."""
    leased = await a_lease(world)
    session = world.session()
    session.deliver(Handover(leased))
    await session.chunks([pack_chunk(leased.log, 0, [], b"one")])
    close = CloseLog(attempt=leased.attempt, log=leased.log, size=3, crc32=zlib.crc32(b"one"))
    no_room(True)
    await session.close_log(close)
    assert isinstance(world.told[-1], Refused)
    no_room(False)
    await session.close_log(close)
    assert world.told[-1] == LogClosed(log=leased.log)


async def test_a_chunk_damaged_on_its_way_is_none(world: World) -> None:
    """Its connection ends; the next one begins where the log does."""
    leased = await a_lease(world)
    session = world.session()
    session.deliver(Handover(leased))
    frame = bytearray(pack_chunk(leased.log, 0, [], b"one"))
    frame[-1] ^= 1
    with pytest.raises(Invalid):
        await session.chunks([bytes(frame)])
    assert not world.heard(Ack)


async def test_bytes_that_the_server_lost_and_the_agent_freed_leave_a_mark(world: World) -> None:
    """The others keep their addresses; the log says what is missing, and that it is not whole."""
    leased = await a_lease(world)
    session = world.session()
    session.deliver(Handover(leased))
    written = bytes(range(256)) * 20_000
    lost, freed = 1000, 3 << 20
    await session.chunks([pack_chunk(leased.log, 0, [Span(0, 1, Stream.STDOUT, 0)], written[:lost])])
    await session.gap(Gap(attempt=leased.attempt, log=leased.log, end=freed))
    assert world.told[-1] == Ack(log=leased.log, received=freed, durable=0)
    await session.gap(Gap(attempt=leased.attempt, log=leased.log, end=freed))
    assert world.told[-1] == Ack(log=leased.log, received=freed, durable=0)
    logs = world.desk.logs
    for at in range(freed, len(written), 200_000):
        spans = [Span(at, 2, Stream.STDOUT, 1)]
        await session.chunks([pack_chunk(leased.log, at, spans, written[at : at + 200_000])])
    assert logs.read(leased.log, freed, 1 << 30) == written[freed:]
    filler = logs.read(leased.log, lost, freed)
    assert f"{freed - lost:,} bytes are lost from here on".encode() in filler[:200]
    assert {span.stream for span in logs.spans(leased.log, lost, freed)} == {Stream.SYSTEM}
    await session.close_log(
        CloseLog(
            attempt=leased.attempt,
            log=leased.log,
            size=len(written),
            crc32=zlib.crc32(written),
            freed=freed,
        )
    )
    assert world.told[-1] == LogClosed(log=leased.log)
    row = await world.store.read(find_log, leased.log)
    assert row is not None
    assert row.state == "truncated"
    assert row.size == logs.end(leased.log)
    assert b"this log is not whole" in logs.read(leased.log, len(written), 1 << 30)
    assert not world.heard(Rewind)


async def test_files_that_somebody_took_are_asked_for_again(world: World) -> None:
    """From the first byte."""
    leased = await a_lease(world)
    session = world.session()
    session.deliver(Handover(leased))
    await session.chunks([pack_chunk(leased.log, 0, [], b"one")])
    world.desk.logs.remove(leased.log)
    await session.chunks([pack_chunk(leased.log, 3, [], b"two")])
    assert world.told[-1] == Rewind(log=leased.log, end=0)


async def test_an_agent_that_comes_back_without_an_ended_attempts_log_ends_the_log(world: World) -> None:
    """Nobody else will ever send the rest."""
    leased = await a_lease(world)
    session = world.session()
    session.deliver(Handover(leased))
    await session.chunks([pack_chunk(leased.log, 0, [], b"one")])
    await world.store.write(finish, world.agent, leased.attempt)
    await world.session().begin([Held(attempt=leased.attempt, cookie=leased.cookie)])
    row = await world.store.read(find_log, leased.log)
    assert row is not None
    assert row.state == "open"
    await world.session().begin([])
    row = await world.store.read(find_log, leased.log)
    assert row is not None
    assert (row.state, row.size) == ("truncated", 3)


async def test_no_plan_allows_more_than_the_server(world: World) -> None:
    """The lease says what holds: the log's limit, and how long a job that has to end may take."""
    leased = await a_lease(world)
    assert Terms().apply(leased) == leased
    world = replace(world, desk=replace(world.desk, terms=Terms(max_log=1 << 30, grace_s=3.5)))
    job = leased.job.model_copy(update={"log": LogSpec(limit=1 << 40, when_full="drop")})
    world.session().deliver(Handover(leased.model_copy(update={"job": job})))
    (told,) = world.heard(Leased)
    assert isinstance(told, Leased)
    assert told.lease.job.log == LogSpec(limit=1 << 30, when_full="drop")
    assert told.lease.grace_s == 3.5


async def test_what_was_dropped_is_counted(world: World) -> None:
    """In the run's JSON."""
    leased = await a_lease(world)
    fact = finished().model_copy(update={"dropped": 77})
    session = world.session()
    session.deliver(Handover(leased))
    await session.said_all([Said(attempt=leased.attempt, index=1, fact=fact)])
    job = (await world.store.read(get_run, world.run)).jobs[0]
    shown = await world.store.read(get_job, job.id)
    assert shown.attempts[0].log_dropped == 77
