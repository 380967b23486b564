"""The poller on a real store: what is due is looked at, once, and what comes of it is kept with the claim's end.

What it looks at is a stand-in whose answers the test gives; real repositories and servers are looked at in tests/unit/sources
and tests/integration.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from tailrace.domain.credentials import Credentials
from tailrace.domain.errors import SourceUnreachable
from tailrace.domain.events import Event, EventKind
from tailrace.domain.polls import Change, Found, LookFailed, Wanted, Whom
from tailrace.domain.triggers import (
    CronSettings,
    GitSettings,
    TriggerSettings,
    TriggerView,
    UrlSettings,
)
from tailrace.live.bus_memory import MemoryBus
from tailrace.live.scopes import SCHEDULE
from tailrace.store import Store
from tailrace.store.clock import read_clock
from tailrace.store.heads import find_head, move_head
from tailrace.store.projects import change_project
from tailrace.store.runs import RunFilter, list_runs
from tailrace.store.sealing import SealingKey
from tailrace.store.secrets import secret_row, set_secret
from tailrace.store.tables import trigger as triggers
from tailrace.store.triggers import add_trigger, check_now, get_trigger, remove_trigger, set_enabled
from tailrace.triggers.poller import CLAIM_MS, Poller
from tests.unit.store.world import a_project
from tests.unit.triggers.plans import a_plan

A, B, C = "a" * 40, "b" * 40, "c" * 40
MAIN = "refs/heads/main"
KEY = SealingKey(b"k" * 32)
LONG = GitSettings(interval_s=600)


class Looks:
    """Gives the answers that a test has put in, and the last one for ever; notes what it was asked."""

    def __init__(self) -> None:
        self.answers: list[Found | Exception] = []
        self.asked: list[Wanted] = []
        self.during: Callable[[], Awaitable[object]] | None = None
        self.now = self.most = 0

    async def look(self, wanted: Wanted) -> Found:
        self.asked.append(wanted)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            if self.during is not None:
                await self.during()
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if isinstance(answer, Exception):
                raise answer
            return answer
        finally:
            self.now -= 1


def at(revision: str) -> Found:
    return Found({"refs": {MAIN: revision}}, "looked", noted={MAIN: revision})


def push(revision: str, before: str | None = None, **more: Any) -> Event:
    return Event(kind=EventKind.PUSH, ref=MAIN, branch="main", revision=revision, before=before, **more)


def moved(revision: str, *earlier: str) -> Found:
    changes = [*(Change(push(r), Whom.EARLIER) for r in earlier), Change(push(revision), Whom.ALL)]
    return Found({"refs": {MAIN: revision}}, "looked", tuple(changes))


def _trigger(connection: Connection, settings: TriggerSettings) -> TriggerView:
    return add_trigger(connection, a_plan(connection, a_project(connection)), "watch", settings)


def _revisions(connection: Connection, project: int) -> list[str | None]:
    """Of all runs, oldest first."""
    return [run.revision for run in list_runs(connection, RunFilter(project=project))][::-1]


def _row(connection: Connection, id: int) -> Any:
    return connection.execute(select(triggers).where(triggers.c.id == id)).one()


def _set(connection: Connection, id: int, **values: Any) -> None:
    connection.execute(update(triggers).where(triggers.c.id == id).values(**values))


@pytest.fixture
async def bus() -> AsyncIterator[MemoryBus]:
    bus = MemoryBus()
    await bus.start()
    yield bus
    await bus.close()


@pytest.fixture
def looks() -> Looks:
    return Looks()


@asynccontextmanager
async def polling(store: Store, bus: MemoryBus, looks: Looks, **more: Any) -> AsyncGenerator[Poller]:
    poller = Poller(store, bus, KEY, looks, chance=lambda: 0.5, **more)
    task = asyncio.create_task(poller.run())
    try:
        yield poller
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _until(condition: Callable[[], Awaitable[object]], what: str) -> None:
    try:
        async with asyncio.timeout(60):
            while not await condition():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"waited in vain for {what}") from None


async def _settled(store: Store, id: int, before: TriggerView | None = None) -> TriggerView:
    """The trigger when it was looked at again."""
    last = None if before is None else before.last_at

    async def done() -> bool:
        row = await store.read(_row, id)
        return row.claimed_by is None and row.last_at is not None and row.last_at != last

    await _until(done, "a look")
    return await store.read(get_trigger, id)


async def _again(store: Store, bus: MemoryBus, trigger: TriggerView) -> TriggerView:
    """Check now; the trigger after it."""
    await store.write(_set, trigger.id, last_at=1)
    before = await store.write(check_now, trigger.id)
    bus.publish(SCHEDULE)
    return await _settled(store, trigger.id, before)


async def test_a_change_makes_a_run_and_the_first_look_none(
    store: Store, bus: MemoryBus, looks: Looks
) -> None:
    """The head moves, the next look is in an interval, and what came of it is said."""
    trigger = await store.write(_trigger, LONG)
    looks.answers = [at(A), moved(B), at(B)]
    async with polling(store, bus, looks):
        first = await _settled(store, trigger.id)
        assert await store.read(_revisions, trigger.project) == []
        assert (first.last_state, first.last_detail, first.failures) == ("ok", "looked", 0)
        assert first.last_at is not None
        assert first.next_at is not None
        assert abs(first.next_at - first.last_at - 600_000) < 5000
        assert await store.read(find_head, trigger.project, MAIN) == A
        second = await _again(store, bus, trigger)
        assert second.last_detail == "looked; 1 run"
        assert await store.read(_revisions, trigger.project) == [B]
        assert await store.read(find_head, trigger.project, MAIN) == B
        await _again(store, bus, trigger)
    assert [wanted.seen for wanted in looks.asked] == [None, {"refs": {MAIN: A}}, {"refs": {MAIN: B}}]
    assert looks.asked[1].heads == {MAIN: A}


async def test_earlier_commits_are_run_unless_the_head_was_there(
    store: Store, bus: MemoryBus, looks: Looks
) -> None:
    """What webhooks told one after another is not run again by `mode: every`."""
    trigger = await store.write(_trigger, LONG)
    looks.answers = [at(A), moved("d" * 40, B, C)]
    async with polling(store, bus, looks):
        await _settled(store, trigger.id)
        await store.write(move_head, trigger.project, MAIN, B, A, by="webhook")
        await _again(store, bus, trigger)
    assert await store.read(_revisions, trigger.project) == [C, "d" * 40]


async def test_what_a_webhook_tells_during_the_look_is_not_undone(
    store: Store, bus: MemoryBus, looks: Looks
) -> None:
    """It is looked at anew: the head is not moved back, and nothing runs twice."""
    trigger = await store.write(_trigger, LONG)
    looks.answers = [at(A), moved(B), at(C)]
    async with polling(store, bus, looks):
        await _settled(store, trigger.id)

        async def told() -> None:
            looks.during = None
            await store.write(move_head, trigger.project, MAIN, C, A, by="webhook")

        looks.during = told
        await _again(store, bus, trigger)
    assert len(looks.asked) == 3
    assert await store.read(find_head, trigger.project, MAIN) == C
    assert await store.read(_revisions, trigger.project) == []


async def test_a_branch_that_is_gone_has_no_head_any_more(store: Store, bus: MemoryBus, looks: Looks) -> None:
    """When it comes again, at the same commit, that is a change."""
    trigger = await store.write(_trigger, LONG)
    looks.answers = [at(A), Found({"refs": {}}, "none", gone=(MAIN,)), moved(A)]
    async with polling(store, bus, looks):
        await _settled(store, trigger.id)
        await _again(store, bus, trigger)
        assert await store.read(find_head, trigger.project, MAIN) is None
        await _again(store, bus, trigger)
    assert await store.read(_revisions, trigger.project) == [A]


async def test_an_error_is_shown_and_waited_for_longer_each_time(
    store: Store, bus: MemoryBus, looks: Looks
) -> None:
    """What was seen stays; when it works again all is as before."""
    trigger = await store.write(_trigger, LONG)
    away = SourceUnreachable("https://example.org/r.git", "it is away")
    looks.answers = [at(A), away, away, RuntimeError("ours"), moved(B)]
    async with polling(store, bus, looks):
        await _settled(store, trigger.id)
        waits: list[int] = []
        for number in (1, 2, 3):
            failed = await _again(store, bus, trigger)
            assert (failed.last_state, failed.failures) == ("error", number)
            waits.append(round(((failed.next_at or 0) - (failed.last_at or 0)) / 1000))
        assert waits == [
            pytest.approx(1200, abs=60),
            pytest.approx(2400, abs=60),
            pytest.approx(3600, abs=60),
        ]
        assert "ours" in (failed.last_detail or "")
        fine = await _again(store, bus, trigger)
        assert (fine.last_state, fine.failures) == ("ok", 0)
    assert looks.asked[-1].seen == {"refs": {MAIN: A}}
    assert await store.read(_revisions, trigger.project) == [B]


async def test_jitter_spreads_looks(store: Store, bus: MemoryBus, looks: Looks) -> None:
    """By a tenth of the interval at most."""
    trigger = await store.write(_trigger, LONG)
    looks.answers = [at(A)]
    poller = Poller(store, bus, KEY, looks, chance=lambda: 1.0)
    task = asyncio.create_task(poller.run())
    late = await _settled(store, trigger.id)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert late.next_at is not None
    assert late.last_at is not None
    assert late.next_at - late.last_at == pytest.approx(660_000, abs=30_000)


async def test_two_servers_look_once(store: Store, bus: MemoryBus, looks: Looks) -> None:
    """Each trigger at a time; and all of them are looked at."""
    made = [await store.write(_trigger, LONG) for _ in range(40)]
    looks.answers = [at(A)]
    looks.during = lambda: asyncio.sleep(0.01)
    async with polling(store, bus, looks), polling(store, bus, looks):
        for trigger in made:
            await _settled(store, trigger.id)
    assert len(looks.asked) == len(made)


async def test_a_look_whose_claim_was_lost_comes_to_nothing(
    store: Store, bus: MemoryBus, looks: Looks
) -> None:
    """Another server had it, or somebody disabled or removed it meanwhile."""
    trigger = await store.write(_trigger, LONG)
    looks.answers = [at(A), moved(B)]
    ended = asyncio.Event()
    async with polling(store, bus, looks):
        await _settled(store, trigger.id)

        async def taken() -> None:
            await store.write(_set, trigger.id, claimed_by="another")
            ended.set()

        looks.during = taken
        await store.write(check_now, trigger.id)
        bus.publish(SCHEDULE)
        await asyncio.wait_for(ended.wait(), 60)
        await _until(lambda: _none_looks(looks), "the look's end")
    assert await store.read(_revisions, trigger.project) == []
    assert await store.read(find_head, trigger.project, MAIN) == A
    assert (await store.read(_row, trigger.id)).claimed_by == "another"


async def _none_looks(looks: Looks) -> bool:
    return looks.now == 0


@pytest.mark.parametrize("fails", [False, True])
async def test_who_asks_for_a_look_during_one_gets_another(
    store: Store, bus: MemoryBus, looks: Looks, fails: bool
) -> None:
    """What changed after the one under way began is found."""
    trigger = await store.write(_trigger, LONG)
    await store.write(_set, trigger.id, next_at=1)
    looks.answers = [SourceUnreachable("shop", "no route") if fails else at(A), at(A)]

    async def ask() -> None:
        if len(looks.asked) == 1:
            await store.write(check_now, trigger.id)

    looks.during = ask
    async with polling(store, bus, looks):
        await _until(lambda: _asked(looks, 2), "another look")


async def test_what_is_removed_during_a_look_starts_nothing(
    store: Store, bus: MemoryBus, looks: Looks
) -> None:
    """The look ends, and the server goes on."""
    trigger = await store.write(_trigger, LONG)
    other = await store.write(_trigger, LONG)
    looks.answers = [at(A), at(A), moved(B), at(A)]
    async with polling(store, bus, looks):
        await _settled(store, trigger.id)
        await _settled(store, other.id)

        async def removed() -> None:
            looks.during = None
            await store.write(remove_trigger, trigger.id)

        looks.during = removed
        await store.write(check_now, trigger.id)
        bus.publish(SCHEDULE)
        await _until(lambda: _asked(looks, 3), "the look")
        await _again(store, bus, other)
    assert await store.read(_revisions, trigger.project) == []


async def _asked(looks: Looks, times: int) -> bool:
    return len(looks.asked) >= times and looks.now == 0


async def test_the_claim_of_a_server_that_died_runs_out(store: Store, bus: MemoryBus, looks: Looks) -> None:
    """Then another looks; one that leaves lets go at once."""
    trigger = await store.write(_trigger, LONG)
    await store.write(_set, trigger.id, claimed_by="dead", claimed_until=1)
    looks.answers = [at(A)]
    hanging = asyncio.Event()
    looks.during = hanging.wait
    async with polling(store, bus, looks):
        await _until(lambda: _claimed(store, trigger.id), "the claim")
        row = await store.read(_row, trigger.id)
        assert 0 < row.claimed_until - await store.read(read_clock) <= CLAIM_MS
    assert (await store.read(_row, trigger.id)).claimed_by is None


async def _claimed(store: Store, id: int) -> bool:
    return (await store.read(_row, id)).claimed_by not in (None, "dead")


async def test_enabling_what_is_enabled_loses_no_change(store: Store, bus: MemoryBus, looks: Looks) -> None:
    trigger = await store.write(_trigger, LONG)
    looks.answers = [at(A), moved(B)]
    async with polling(store, bus, looks):
        await _settled(store, trigger.id)
        await store.write(set_enabled, trigger.id, True, by="mia", why=None)
        await _again(store, bus, trigger)
    assert looks.asked[1].seen == {"refs": {MAIN: A}}
    assert await store.read(_revisions, trigger.project) == [B]


async def test_what_happened_while_it_was_disabled_is_not_made_up_for(
    store: Store, bus: MemoryBus, looks: Looks
) -> None:
    """It begins with a first look."""
    trigger = await store.write(_trigger, LONG)
    looks.answers = [at(A)]
    async with polling(store, bus, looks):
        before = await _settled(store, trigger.id)
        await store.write(set_enabled, trigger.id, False, by="mia", why=None)
        await store.write(_set, trigger.id, last_at=1)
        before = await store.write(set_enabled, trigger.id, True, by="mia", why=None)
        bus.publish(SCHEDULE)
        await _settled(store, trigger.id, before)
        await _again(store, bus, trigger)
    assert [wanted.seen is None for wanted in looks.asked[:2]] == [True, True]


async def test_secrets_reach_the_look_and_a_missing_one_is_an_error(
    store: Store, bus: MemoryBus, looks: Looks
) -> None:
    """A project's own wins over one for all."""
    settings = UrlSettings(url="https://example.org/", secret_headers={"X-One": "ONE", "X-Two": "TWO"})
    trigger = await store.write(_trigger, settings)
    looks.answers = [Found({"value": "1"}, "looked")]

    async def keep(project: int | None, name: str, value: str) -> None:
        sealed = KEY.seal(value, secret_row(project, name))
        await store.write(set_secret, project, name, sealed, warnings=(), author="mia")

    await keep(None, "ONE", "for all")
    await keep(trigger.project, "ONE", "its own")
    await keep(await store.write(a_project), "TWO", "another's")
    async with polling(store, bus, looks):
        failed = await _settled(store, trigger.id)
        assert failed.last_state == "error"
        assert "secret TWO is not set" in (failed.last_detail or "")
        await keep(None, "TWO", "too")
        await _again(store, bus, trigger)
    assert [wanted.secrets for wanted in looks.asked] == [{"ONE": "its own", "TWO": "too"}]


async def test_an_error_of_one_look_stops_no_other(store: Store, bus: MemoryBus, looks: Looks) -> None:
    """More triggers than are looked at together."""
    made = [await store.write(_trigger, LONG) for _ in range(20)]
    looks.answers = [*(LookFailed("no") for _ in range(10)), at(A)]

    async def two() -> bool:
        return looks.most > 1

    looks.during = lambda: _until(two, "another look beside this one")
    async with polling(store, bus, looks):
        states = [(await _settled(store, trigger.id)).last_state for trigger in made]
    assert sorted({state or "" for state in states}) == ["error", "ok"]
    assert 1 < looks.most <= 16


# Cron, by a clock that the test has.


class _Clock:
    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self, _connection: Connection) -> int:
        return self.now


HOUR = 3_600_000
NIGHT = 2_208_988_800_000  # 2040-01-01 in UTC: by the database's clock nothing is due before the test says so


async def _ticked(
    store: Store, bus: MemoryBus, clock: _Clock, trigger: TriggerView, *moments: int
) -> list[str | None]:
    """The details of what came at each of these moments, one after another, asked by two servers at a time."""
    details: list[str | None] = []
    await _settled(store, trigger.id)
    for moment in moments:
        clock.now = moment
        await store.write(_set, trigger.id, next_at=1, last_at=trigger.created_at + 1000 + len(details))
        before = await store.read(get_trigger, trigger.id)
        bus.publish(SCHEDULE)
        details.append((await _settled(store, trigger.id, before)).last_detail)
    return details


async def _cron(
    store: Store, bus: MemoryBus, settings: CronSettings, *moments: int
) -> tuple[list[str | None], int]:
    """What was said at each moment, and how many runs came of it all."""
    trigger = await store.write(_trigger, settings)
    clock = _Clock(NIGHT)
    async with polling(store, bus, Looks(), clock=clock), polling(store, bus, Looks(), clock=clock):
        details = await _ticked(store, bus, clock, trigger, *moments)
    runs = await store.read(list_runs, RunFilter(project=trigger.project))
    return details, len(runs)


async def test_a_tick_makes_one_run_with_several_servers(store: Store, bus: MemoryBus) -> None:
    """Of the branch that it names, with the tick among its variables."""
    trigger = await store.write(_trigger, CronSettings(expression="0 20 * * *", branch="main"))
    clock = _Clock(NIGHT)
    async with polling(store, bus, Looks(), clock=clock), polling(store, bus, Looks(), clock=clock):
        said = await _ticked(
            store, bus, clock, trigger, NIGHT, NIGHT + 19 * HOUR, NIGHT + 20 * HOUR, NIGHT + 20 * HOUR + 1000
        )
        assert (await store.read(get_trigger, trigger.id)).next_at == NIGHT + 44 * HOUR
    (run,) = await store.read(list_runs, RunFilter(project=trigger.project))
    assert (run.branch, run.trigger.kind) == ("main", "cron")
    day = "2040-01-01"
    assert said == [
        "nothing was due",
        "nothing was due",
        f"the tick of {day}T20:00:00Z; 1 run",
        "nothing was due",
    ]


async def test_missed_ticks_are_skipped_or_made_up_for_once(store: Store, bus: MemoryBus) -> None:
    """When the server comes back; the next tick is in time again."""
    moments = (NIGHT, NIGHT + 5 * HOUR + HOUR // 2, NIGHT + 6 * HOUR)
    said, runs = await _cron(store, bus, CronSettings(expression="0 * * * *"), *moments)
    assert (said[1], runs) == ("nothing was due; 5 missed ticks were skipped", 1)
    said, runs = await _cron(store, bus, CronSettings(expression="0 * * * *", missed="once"), *moments)
    assert (said[1], runs) == ("the tick of 2040-01-01T05:00:00Z; 4 missed ticks were skipped; 1 run", 2)


async def test_a_tick_that_is_a_little_late_was_not_missed(store: Store, bus: MemoryBus) -> None:
    """A server that was restarted sees to it."""
    said, runs = await _cron(store, bus, CronSettings(expression="0 * * * *"), NIGHT, NIGHT + HOUR + 50_000)
    assert (said[1], runs) == ("the tick of 2040-01-01T01:00:00Z; 1 run", 1)


async def test_a_wrong_expression_is_an_error_of_the_trigger(store: Store, bus: MemoryBus) -> None:
    """Not of the server."""
    trigger = await store.write(_trigger, CronSettings(expression="0 0 * * *", zone="Nowhere/None"))
    async with polling(store, bus, Looks()):
        failed = await _settled(store, trigger.id)
    assert failed.last_state == "error"
    assert "Nowhere/None" in (failed.last_detail or "")


async def test_what_opens_the_repository_reaches_the_look(store: Store, bus: MemoryBus, looks: Looks) -> None:
    """Where the project names a secret for it; one that is not there is the error of the look."""
    looks.answers = [at(A)]
    trigger = await store.write(_trigger, LONG)
    await store.write(change_project, trigger.project, credentials=Credentials(secret="DEPLOY"))
    async with polling(store, bus, looks):
        failed = await _settled(store, trigger.id)
        assert failed.last_state == "error"
        assert "secret DEPLOY, which project" in (failed.last_detail or "")
        assert "is not set" in (failed.last_detail or "")
        sealed = KEY.seal("hush-hush", secret_row(None, "DEPLOY"))
        await store.write(set_secret, None, "DEPLOY", sealed, warnings=(), author="mia")
        await _again(store, bus, trigger)
    (wanted,) = looks.asked
    assert wanted.remote.opener is not None
    assert (wanted.remote.opener.value, wanted.remote.opener.row) == ("hush-hush", "secret/all/DEPLOY")
    assert "hush" not in repr(wanted)
