"""What an agent's session tells it, and what it lets pass."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, update

from tailrace.domain.errors import LeaseLost
from tailrace.domain.plan import JobSpec, RunStep
from tailrace.domain.wire import Ack, Drop, Held, JobSecrets, Leased, Resume, pack_chunk
from tailrace.store.aborts import abort_run
from tailrace.store.leases import Handover, end_lapsed, find_lapsed
from tailrace.store.runs import get_run
from tailrace.store.secrets import secret_row, set_secret
from tailrace.store.tables import run as runs
from tests.unit.ingest.world import KEY, World
from tests.unit.store.world import a_run, lease, start


async def lapse(world: World) -> None:
    for lapsed in await world.store.read(find_lapsed):
        await world.store.write(end_lapsed, lapsed, 0)


async def test_what_was_leased_while_an_agent_took_its_seat_is_handed_over(world: World) -> None:
    """Its earlier connection was told, in vain; renewals would keep the lease for ever."""
    session = world.session()
    await session.begin([])
    (leased,) = await world.store.write(lease, world.agent)
    await session.tell_untold()
    assert world.heard(Leased) == [Leased(lease=leased)]
    await session.tell_untold()
    assert len(world.heard(Leased)) == 1


async def test_what_was_leased_and_is_too_large_to_be_handed_over_ends(world: World) -> None:
    """Else the agent would lose its connection over it whenever it came back."""

    def grow(connection: Connection) -> None:
        connection.execute(update(runs).values(variables={"A": "x" * 9 * 2**20}))

    await world.store.write(grow)
    await world.store.write(lease, world.agent)
    session = world.session()
    await session.begin([])
    await session.tell_untold()
    assert world.heard(Leased) == []
    assert (await world.store.read(get_run, world.run)).reason == "setup_failed"


@pytest.mark.parametrize("connected", [True, False])
async def test_an_attempt_that_was_aborted_while_its_agent_was_away_is_dropped(
    world: World, connected: bool
) -> None:
    """Nobody else would ever end its runner: the attempt has ended, so no abort is told any more."""
    (leased,) = await world.store.write(lease, world.agent, lease_ms=-1)
    await world.store.write(start, world.agent, leased.attempt)
    holds = [Held(attempt=leased.attempt, cookie=leased.cookie)]
    session = world.session()
    if connected:
        await session.begin(holds)
    await world.store.write(abort_run, world.run, "Ada")
    await lapse(world)
    world.told.clear()
    if connected:
        await session.check()
    else:
        await session.begin(holds)
    assert [type(message) for message in world.told] == [Drop]
    assert not world.heard(Resume)


async def test_a_late_agent_is_told_why_its_attempt_is_dropped(world: World) -> None:
    """Its lease ran out; an attempt with another cookie is of another server, or of another life of this one."""
    (leased,) = await world.store.write(lease, world.agent, lease_ms=-1)
    await world.store.write(start, world.agent, leased.attempt)
    await lapse(world)
    await world.session().begin([Held(attempt=leased.attempt, cookie=leased.cookie)])
    await world.session().begin([Held(attempt=leased.attempt, cookie="another")])
    lost, unknown = (message.why for message in world.told if isinstance(message, Drop))
    assert lost == "its lease ran out while this agent was away, so this server counts it as lost"
    assert unknown == "this server knows no such attempt"


async def test_an_agent_that_forgot_a_lease_s_secrets_gets_them_again(world: World) -> None:
    """With each word that it may begin, until it has: they are on no disk of its."""
    job = JobSpec(name="a", secrets=("TOKEN",), steps=(RunStep(name="x", run="x"),))
    sealed = KEY.seal("the value", secret_row(None, "TOKEN"))
    await world.store.write(set_secret, None, "TOKEN", sealed, warnings=[], author="Ada")
    await world.store.write(abort_run, world.run, "Ada")
    await world.store.write(a_run, job)
    (leased,) = await world.store.write(lease, world.agent)
    holds = [Held(attempt=leased.attempt, cookie=leased.cookie)]
    secrets = JobSecrets(values={"TOKEN": "the value"})
    await world.session().begin([])
    assert world.heard(Leased) == [Leased(lease=leased, secrets=secrets)]
    await world.session().begin(holds)
    assert world.heard(Resume) == [Resume(attempt=leased.attempt, log=leased.log, end=0, secrets=secrets)]
    await world.store.write(start, world.agent, leased.attempt)
    world.told.clear()
    await world.session().begin(holds)
    assert world.heard(Resume) == [Resume(attempt=leased.attempt, log=leased.log, end=0)]


async def test_bytes_of_a_dropped_log_that_were_on_their_way_are_ignored(world: World) -> None:
    """The other logs of the connection go on; bytes of a log that it never had still end it."""
    (leased,) = await world.store.write(lease, world.agent, lease_ms=-1)
    session = world.session()
    session.deliver(Handover(leased))
    await world.store.write(start, world.agent, leased.attempt)
    await lapse(world)
    await session.check()
    world.told.clear()
    await session.chunks([pack_chunk(leased.log, 0, [], b"late")])
    assert not world.told
    with pytest.raises(LeaseLost):
        await session.chunks([pack_chunk(leased.log + 1, 0, [], b"never")])


async def test_what_could_not_be_synced_is_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fails once costs no acknowledgement."""
    (leased,) = await world.store.write(lease, world.agent)
    session = world.session()
    session.deliver(Handover(leased))
    await session.chunks([pack_chunk(leased.log, 0, [], b"bytes")])

    def fails(_log: int) -> int:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(world.desk.logs, "sync", fails)
        with pytest.raises(OSError, match="no space"):
            await session.sync()
    world.told.clear()
    await session.sync()
    assert world.told == [Ack(log=leased.log, received=5, durable=5)]
