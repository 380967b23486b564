"""Facts and ends of logs that come together: one transaction, and what is wrong with one of them harms no other."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, update

from tailrace.domain.errors import TailraceError
from tailrace.domain.facts import Started
from tailrace.domain.lease import Lease
from tailrace.domain.wire import CloseLog, Drop, LogClosed, Noted, Said, Unnoted
from tailrace.store.runs import get_run
from tailrace.store.tables import job as jobs
from tests.unit.ingest.world import World
from tests.unit.store.world import a_run, finished, lease


async def two(world: World) -> tuple[Lease, Lease]:
    """Two attempts of the agent's."""
    await world.store.write(a_run)
    first, second = await world.store.write(lease, world.agent, free=2)
    return first, second


def said(held: Lease) -> list[Said]:
    """All that its runner says."""
    return [
        Said(attempt=held.attempt, index=0, fact=Started(time=1)),
        Said(attempt=held.attempt, index=1, fact=finished()),
    ]


async def test_facts_of_several_attempts_are_noted_in_their_order(world: World) -> None:
    first, second = await two(world)
    session = world.session()
    (a, b), (c, d) = said(first), said(second)
    await session.said_all([a, c, b, d])
    assert world.heard(Noted) == [Noted(attempt=one.attempt, index=one.index) for one in (a, c, b, d)]
    for run in (first.run, second.run):
        assert (await world.store.read(get_run, run)).state == "passed"


async def test_an_attempt_that_was_lost_is_dropped_once_and_the_others_are_noted(world: World) -> None:
    held, _ = await two(world)
    session = world.session()
    gone = [Said(attempt=10**6, index=index, fact=Started(time=1)) for index in range(2)]
    await session.said_all([gone[0], *said(held), gone[1]])
    assert [drop.attempt for drop in world.heard(Drop) if isinstance(drop, Drop)] == [10**6]
    assert len(world.heard(Noted)) == 2


async def test_a_fact_that_cannot_be_stored_does_not_undo_the_others(world: World) -> None:
    """Its connection ends; if the others went with it, they would never be stored."""
    first, second = await two(world)
    session = world.session()
    await session.said_all([said(first)[0]])
    await world.store.write(_break_job, first.run)
    with pytest.raises(TailraceError):
        await session.said_all([said(second)[0], said(first)[1]])
    assert [(one.attempt, one.index) for one in world.heard(Noted) if isinstance(one, Noted)] == [
        (first.attempt, 0),
        (second.attempt, 0),
    ]


def _break_job(connection: Connection, run_id: int) -> None:
    """Its job ended, of which nobody knew."""
    connection.execute(update(jobs).where(jobs.c.run_id == run_id).values(state="passed", finished_at=1))


async def test_facts_that_find_no_room_are_asked_for_again_from_the_first(
    world: World, no_room: Callable[[bool], None]
) -> None:
    """And then taken together."""
    first, second = await two(world)
    session = world.session()
    no_room(True)
    await session.said_all([*said(first), *said(second)])
    unnoted = [(one.attempt, one.index) for one in world.heard(Unnoted) if isinstance(one, Unnoted)]
    assert unnoted == [(first.attempt, 0), (second.attempt, 0)]
    no_room(False)
    late = said(first)[1]
    await session.said_all([late])
    assert world.heard(Noted) == [], "the first has to come before it"
    await session.said_all([*said(first), *said(second)])
    assert len(world.heard(Noted)) == 4


async def test_logs_that_end_together_are_all_closed(world: World) -> None:
    """One that is named twice, once."""
    first, second = await two(world)
    session = world.session()
    await session.begin([])
    ends = [CloseLog(attempt=one.attempt, log=one.log, size=0, crc32=0) for one in (first, second)]
    await session.close_logs([*ends, ends[0]])
    assert {one.log for one in world.heard(LogClosed) if isinstance(one, LogClosed)} == {
        first.log,
        second.log,
    }
    assert len(world.heard(LogClosed)) == 2
