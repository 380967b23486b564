"""Segments in the store: claimed by one server, added in order, forgotten whole."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import Connection, insert, select, update

from tailrace.domain.states import LogState
from tailrace.store import Store
from tailrace.store.segments import (
    SealWork,
    SegmentRow,
    add_segment,
    archive_in_use,
    claim_ended,
    claim_growing,
    count_waiting,
    find_orphans,
    find_sealed,
    finish_sealing,
    forget_orphans,
    release_seal_claims,
    renew_seal_claims,
    sealed_among,
    unseal,
)
from tailrace.store.tables import log as logs

LONG = 60_000


def a_log(connection: Connection, state: str = "closed", size: int = 100, closed_at: int = 1) -> int:
    ended = {} if state == "open" else {"size": size, "closed_at": closed_at}
    return connection.execute(
        insert(logs).values(state=state, created_at=1, **ended).returning(logs.c.id)
    ).scalar_one()


def claim(
    connection: Connection, server: str = "a", limit: int = 10, claim_ms: int = LONG, **options: int
) -> list[SealWork]:
    return claim_ended(connection, server, claim_ms, limit, **({"large": 1000, "delay_ms": 0} | options))


def next_row(work: SealWork, stop: int) -> SegmentRow:
    """The segment that `work` comes to, up to `stop`."""
    number = 0 if work.last is None else work.last.number + 1
    return SegmentRow(number, work.sealed, stop, 0, 3, 10, 20, 50, "0" * 64, 7, work.key)


def state(connection: Connection, log: int) -> str:
    return connection.execute(select(logs.c.state).where(logs.c.id == log)).scalar_one()


def test_logs_that_ended_are_claimed_oldest_first_and_once(connection: Connection) -> None:
    wanted = [a_log(connection), a_log(connection, "truncated"), a_log(connection)]
    a_log(connection, "open")
    assert [work.log_id for work in claim(connection, limit=2)] == wanted[:2]
    assert [work.log_id for work in claim(connection, "b")] == wanted[2:]
    assert claim(connection, "c") == []


def test_small_logs_wait_and_large_ones_do_not(connection: Connection) -> None:
    a_log(connection, size=999, closed_at=2**50)
    large = a_log(connection, size=1000, closed_at=2**50)
    old = a_log(connection, size=5)
    assert [work.log_id for work in claim(connection, delay_ms=5000)] == [large, old]


def test_only_open_logs_are_claimed_as_growing(connection: Connection) -> None:
    growing, ended = a_log(connection, "open"), a_log(connection)
    (work,) = claim_growing(connection, "a", LONG, [growing, ended, 10**6])
    assert (work.log_id, work.size, work.sealed, work.last, work.whole) == (growing, None, 0, None, False)
    assert claim_growing(connection, "b", LONG, [growing]) == []


def test_a_claim_lasts_while_it_is_renewed_and_ends_when_it_is_given_back(connection: Connection) -> None:
    log = a_log(connection)
    claim(connection, claim_ms=-1000)
    renew_seal_claims(connection, "b", [log], LONG)
    assert len(claim(connection, "b", claim_ms=-1000)) == 1, "only who holds it renews it"
    renew_seal_claims(connection, "b", [log], LONG)
    assert claim(connection, "c") == []
    release_seal_claims(connection, "a", [log])
    assert claim(connection, "c") == []
    release_seal_claims(connection, "b", [log])
    assert [work.log_id for work in claim(connection, "c")] == [log]


def test_segments_are_added_in_order_and_the_last_one_seals_the_log(connection: Connection) -> None:
    log = a_log(connection, size=100)
    (work,) = claim(connection)
    left = add_segment(connection, "a", log, next_row(work, 60))
    assert left is not None
    assert (left.sealed, left.whole) == (60, False)
    assert add_segment(connection, "a", log, next_row(work, 60)) is None, "its key was used"
    assert add_segment(connection, "a", log, next_row(left._replace(sealed=0), 60)) is None, "a stretch twice"
    part = find_sealed(connection, log)
    assert part is not None
    assert (part.state, part.whole, [row.stop for row in part.segments]) == (LogState.CLOSED, False, [60])
    release_seal_claims(connection, "a", [log])
    (work,) = claim(connection)
    assert work.last == part.segments[0]
    done = add_segment(connection, "a", log, next_row(work, 100))
    assert done is not None
    assert done.whole
    part = find_sealed(connection, log, known=1)
    assert part is not None
    assert (part.state, part.whole, [row.start for row in part.segments]) == (LogState.SEALED, True, [60])
    assert claim(connection, "b") == []


def test_a_truncated_log_stays_truncated_and_an_empty_one_needs_no_segment(connection: Connection) -> None:
    truncated, empty = a_log(connection, "truncated", 10), a_log(connection, size=0)
    first, second = claim(connection)
    assert add_segment(connection, "a", truncated, next_row(first, 10)) is not None
    assert second.whole
    assert finish_sealing(connection, "a", empty)
    assert (state(connection, truncated), state(connection, empty)) == ("truncated", "sealed")
    assert sealed_among(connection, [truncated, empty, 10**6]) == [truncated, empty]
    assert not finish_sealing(connection, "a", empty), "once"


def test_whoever_lost_the_claim_adds_nothing(connection: Connection) -> None:
    log = a_log(connection)
    (late,) = claim(connection, "a", claim_ms=-1000)
    (work,) = claim(connection, "b")
    assert add_segment(connection, "a", log, next_row(late, 100)) is None
    assert find_orphans(connection, 10, LONG) == [late.key], "what it put there goes at once"
    assert add_segment(connection, "b", log, next_row(work, 100)) is not None
    assert state(connection, log) == "sealed"


def test_a_key_is_known_before_its_object_is_there(connection: Connection) -> None:
    log = a_log(connection)
    (work,) = claim(connection)
    assert find_orphans(connection, 10, LONG) == []
    assert find_orphans(connection, 10, -1000) == [work.key]
    release_seal_claims(connection, "a", [log], [work.key])
    assert find_orphans(connection, 10, -1000) == []
    (work,) = claim(connection)
    forget_orphans(connection, [work.key])
    assert add_segment(connection, "a", log, next_row(work, 100)) is None, "its object was swept meanwhile"


def test_a_log_that_begins_anew_has_no_segments_and_no_claim(connection: Connection) -> None:
    log = a_log(connection, "open")
    (work,) = claim_growing(connection, "a", LONG, [log])
    left = add_segment(connection, "a", log, next_row(work, 60))
    assert left is not None
    assert archive_in_use(connection)
    unseal(connection, log)
    assert not archive_in_use(connection)
    assert find_orphans(connection, 10, LONG) == [work.key]
    assert add_segment(connection, "a", log, next_row(left, 90)) is None
    (work,) = claim_growing(connection, "b", LONG, [log])
    assert (work.sealed, work.last) == (0, None)


def test_what_waits_is_counted(connection: Connection) -> None:
    assert count_waiting(connection) == (0, 0, None)
    a_log(connection, "open")
    log = a_log(connection, size=100, closed_at=50)
    a_log(connection, "truncated", size=30, closed_at=40)
    (work, _) = claim(connection)
    assert work.log_id == log
    add_segment(connection, "a", log, next_row(work, 60))
    assert count_waiting(connection) == (2, 70, 40)


async def test_servers_that_claim_at_once_share_the_logs(store: Store) -> None:
    logs = {await store.write(a_log) for _ in range(12)}
    claimed = await asyncio.gather(*(store.write(claim, f"server {n}", limit=3) for n in range(6)))
    ids = [work.log_id for works in claimed for work in works]
    assert len(ids) == len(set(ids))
    assert set(ids) == logs


async def test_a_worker_thread_can_read_and_wait(store: Store) -> None:
    """read_now is read, for threads; its errors come through."""
    log = await store.write(a_log)
    part = await asyncio.to_thread(store.read_now, find_sealed, log)
    assert part is not None
    assert part.state is LogState.CLOSED

    def fail(_connection: Connection) -> None:
        raise ValueError("as it is")

    with pytest.raises(ValueError, match="as it is"):
        await asyncio.to_thread(store.read_now, fail)
    await store.write(lambda c: c.execute(update(logs).values(size=5)).rowcount)
