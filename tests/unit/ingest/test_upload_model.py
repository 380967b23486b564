"""Whatever happens on the way, in any order: the log is what was written, and nothing is freed that could still be needed."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import Connection, Row, func, select

from tailrace.domain.lease import Lease
from tailrace.domain.wire import WINDOW_BYTES
from tailrace.store.sqlite import SqliteStore
from tailrace.store.tables import attempt as attempts
from tailrace.store.tables import log as logs
from tailrace.store.tables import step as steps
from tests.support.databases import migrated
from tests.support.upload_house import Runner, UploadHouse
from tests.unit.store.world import a_job, a_run, an_agent, lease

MIB = 1 << 20


def two_leases(connection: Connection) -> tuple[int, list[Lease]]:
    agent = an_agent(connection)
    a_run(connection, a_job("one"), a_job("two"))
    return agent, lease(connection, agent, free=2, lease_ms=10**12)


def _new_database(folder: Path) -> Path:
    path = folder / "tailrace.db"
    migrated(path)
    return path


async def _prepare(database: Path) -> tuple[int, list[Lease]]:
    store = SqliteStore(database)
    made = await store.write(two_leases)
    await store.close()
    return made


class Uploading(RuleBasedStateMachine):
    """Two attempts of one agent, and one server."""

    def __init__(self) -> None:
        super().__init__()
        self._place = tempfile.TemporaryDirectory(prefix="tailrace-model-")
        folder = Path(self._place.name)
        database = _new_database(folder)
        agent, leases = asyncio.run(_prepare(database))
        self.house = UploadHouse(folder, leases, database, agent)
        self.run = self.house.run
        self.killed = False
        self.run(self.house.connect())

    def _runner(self, which: int) -> Runner:
        return list(self.house.runners.values())[which]

    @initialize(warm=st.booleans(), killed=st.booleans())
    def go_on(self, warm: bool, killed: bool) -> None:
        """Perhaps from where some of it is freed. In the end runners finish, or are killed."""
        self.killed = killed
        if warm:
            self.flow(2_500_000, 20)
            self.sync(True)

    @rule(
        which=st.integers(0, 1),
        length=st.sampled_from([1, 90, 5000, 300_000, 1_500_000]),
        pieces=st.integers(1, 40),
        seen=st.booleans(),
    )
    def write(self, which: int, length: int, pieces: int, seen: bool) -> None:
        """Output of the job, and a fact; the agent's wake may be lost."""
        runner = self._runner(which)
        if runner.alive:
            runner.write(length, pieces)
            runner.say(pieces)
            if seen:
                self.run(self.house.look())

    @rule(length=st.sampled_from([5000, 900_000, 2_500_000]), frames=st.integers(0, 12))
    def flow(self, length: int, frames: int) -> None:
        """Output, and some way for everything: most of what happens."""
        self.write(0, length, 3, True)
        self.write(1, length // 3, 2, True)
        self.pass_on(frames, frames, 2 * frames)

    @rule(sends=st.integers(0, 12), arrivals=st.integers(0, 12), answers=st.integers(0, 20))
    def pass_on(self, sends: int, arrivals: int, answers: int) -> None:
        """Frames leave the agent, reach the server, and are answered; each as far as it comes."""
        self.wait(2.5)
        self.run(self.house.look())
        self.run(self.house.send(sends))
        self.run(self.house.arrive(arrivals))
        self.run(self.house.answer(answers))

    @rule(seconds=st.sampled_from([0.01, 0.06, 2.5]))
    def wait(self, seconds: float) -> None:
        self.house.loop.now += seconds
        self.run(self.house.settle())

    @rule(heard=st.booleans())
    def sync(self, heard: bool) -> None:
        """What arrived is durable; the agent hears of it and frees it."""
        self.run(self.house.sync())
        if heard:
            self.run(self.house.answer(100))

    @precondition(lambda self: self.house.old)
    @rule(which=st.integers(0, 11))
    def duplicate(self, which: int) -> None:
        """A frame comes once more, perhaps from an earlier connection."""
        self.run(self.house.take(self.house.old[which % len(self.house.old)]))

    @rule(which=st.integers(0, 1), watched=st.booleans())
    def watch(self, which: int, watched: bool) -> None:
        if self.house.session is not None:
            self.house.session.watched(list(self.house.runners)[which], watched)

    @rule(what=st.sampled_from(["agent", "logs", "store"]), full=st.booleans())
    def fill(self, what: str, full: bool) -> None:
        """A disk has no room, or has room again."""
        if what == "logs":
            self.house.server.logs.full = full
        elif what == "store":
            self.house.server.store.full = full
        else:
            for runner in self.house.runners.values():
                if runner.alive:
                    runner.fill(full)

    @rule(what=st.sampled_from(["agent", "server", "power", "wire"]), data=st.data())
    def break_down(self, what: str, data: st.DataObject) -> None:
        """Something is killed or cut. When the power goes, some or none of what was not synced survives."""

        def lose(_log: int, durable: int, end: int) -> int:
            return data.draw(st.integers(durable, end)) if what == "power" else end

        if what == "agent":
            self.run(self.house.restart_agent())
        elif what == "wire":
            self.run(self.house.cut())
        else:
            self.run(self.house.restart_server(lose))
        self.run(self.house.connect())

    @rule(
        what=st.sampled_from(["agent", "logs", "store"]),
        frames=st.integers(1, 12),
        answers=st.integers(0, 20),
        again=st.booleans(),
    )
    def go_without_room(self, what: str, frames: int, answers: int, again: bool) -> None:
        """A disk is full for a while, and everybody goes on."""
        self.fill(what, True)
        self.flow(900_000, frames)
        self.pass_on(frames, frames, answers)
        if again:
            self.fill(what, False)

    @precondition(lambda self: any(len(runner.shadow) > 5 * MIB for runner in self.house.runners.values()))
    @rule(which=st.integers(0, 1), killed=st.booleans())
    def end(self, which: int, killed: bool) -> None:
        """A runner ends its attempt, or is killed."""
        runner = self._runner(which)
        if not runner.alive:
            return
        if killed:
            runner.die()
        else:
            runner.finish()
        self.run(self.house.look())

    @invariant()
    def the_server_has_a_beginning_of_the_log(self) -> None:
        for log, runner in self.house.runners.items():
            held = self.house.held(log)
            assert len(held) <= len(runner.shadow)
            assert runner.shadow.startswith(held)

    @invariant()
    def nothing_is_freed_that_a_power_loss_could_make_needed(self) -> None:
        for log, runner in self.house.runners.items():
            if runner.folder.path.exists():
                assert runner.freed <= self.house.survives.get(log, 0)

    @invariant()
    def the_window_is_never_passed(self) -> None:
        if self.house.link is not None:
            assert 0 <= self.house.link.uploader.in_flight <= WINDOW_BYTES

    def teardown(self) -> None:
        """When nothing goes wrong any more, everything is there."""
        try:
            self._heal()
            self._go_on_to_the_end()
            self._check()
        finally:
            self.house.close()
            self._place.cleanup()

    def _heal(self) -> None:
        house = self.house
        house.server.logs.full = house.server.store.full = False
        for runner in house.runners.values():
            if runner.alive:
                runner.fill(False)
                if self.killed:
                    runner.die()
                else:
                    assert runner.finish()
        if house.session is None:
            self.run(house.connect())

    def _go_on_to_the_end(self) -> None:
        runners = self.house.runners.values()
        _pass_on(self.house, lambda: not any(runner.folder.path.exists() for runner in runners))

    def _check(self) -> None:
        house = self.house
        for log, runner in house.runners.items():
            size = len(runner.shadow)
            assert house.held(log) == runner.shadow
            assert house.server.logs.spans(log, 0, size) == runner.spans
            row = self.run(house.server.store.read(partial(_log_row, log)))
            assert (row.state, row.size) == ("closed", size)
            assert row.stalled is None
            assert row.attempt in ("passed", "failed")
            assert row.steps == len(runner.said)


def _pass_on(house: UploadHouse, done: Callable[[], bool]) -> None:
    """Let everything arrive and be answered, until it is done."""
    for _ in range(100):
        if house.session is None:
            house.run(house.connect())
        house.loop.now += 2.5
        house.run(house.look())
        house.run(house.send(20))
        house.run(house.arrive(100))
        house.run(house.answer(1000))
        house.run(house.sync())
        house.run(house.answer(1000))
        if done():
            return
    raise AssertionError("it goes round in circles")


def _log_row(log: int, connection: Connection) -> Row[*tuple[Any, ...]]:
    begun = select(func.count()).where(steps.c.attempt_id == attempts.c.id, steps.c.began_at.is_not(None))
    columns = (
        logs.c.state,
        logs.c.size,
        attempts.c.stalled,
        attempts.c.state.label("attempt"),
        begun.scalar_subquery().label("steps"),
    )
    query = select(*columns).join(attempts, attempts.c.log_id == logs.c.id).where(logs.c.id == log)
    return connection.execute(query).one()


def test_a_server_that_was_restored_from_an_older_copy(tmp_path: Path) -> None:
    """It lacks bytes that it had called durable and that are freed: the log says so, keeps the rest, and comes to an end."""
    database = _new_database(tmp_path)
    agent, leases = asyncio.run(_prepare(database))
    house = UploadHouse(tmp_path, leases, database, agent)
    log, runner = next(iter(house.runners.items()))
    try:
        house.run(house.connect())
        runner.write(3_500_000, 7)
        _pass_on(house, lambda: runner.freed >= 3 * MIB)
        house.run(house.restart_server(lambda lost, _durable, end: 1000 if lost == log else end))
        runner.write(300_000, 2)
        for each in house.runners.values():
            assert each.finish()
        _pass_on(house, lambda: not any(each.folder.path.exists() for each in house.runners.values()))
        held, freed = house.held(log), 3 * MIB
        assert held[:1000] == runner.shadow[:1000]
        assert held[freed : len(runner.shadow)] == runner.shadow[freed:]
        assert b"bytes are lost from here on" in held[1000:1200]
        row = house.run(house.server.store.read(partial(_log_row, log)))
        assert (row.state, row.size, row.attempt) == ("truncated", len(held), "passed")
        other = list(house.runners)[1]
        row = house.run(house.server.store.read(partial(_log_row, other)))
        assert row.state == "closed"
    finally:
        house.close()


Uploading.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=50,
    suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
)
TestUploading = Uploading.TestCase
