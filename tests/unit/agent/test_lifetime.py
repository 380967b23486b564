"""Agents that end by themselves, as processes of their own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tailrace.agent.credential import CredentialFile
from tailrace.domain.states import AttemptState
from tests.support.pace import at_some_pace
from tests.unit.agent.bench import end_runners
from tests.unit.agent.peer import PATIENCE_S, Peer, lease_of, until

_AGENT = """
import asyncio, sys
from pathlib import Path
from tailrace.agent import lifetime
from tailrace.agent.run import AgentConfig, run_agent
folder, server, once, idle, last_call = sys.argv[1:]
lifetime.LAST_CALL_S = float(last_call)
config = AgentConfig(
    Path(folder), server, "host", None, ("linux",), 4, once=bool(once), idle_timeout_s=float(idle) if idle else None
)
sys.exit(asyncio.run(run_agent(config)))
"""

Process = asyncio.subprocess.Process


class Agents:
    """Agents in one folder, one after the other."""

    def __init__(self, folder: Path, peer: Peer) -> None:
        self.folder = folder
        self.peer = peer
        self.processes: list[Process] = []
        folder.mkdir()
        CredentialFile(folder).keep(peer.identity)

    async def start(self, *, once: str = "", idle: str = "", last_call: str = "1") -> Process:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _AGENT, str(self.folder), self.peer.url, once, idle, last_call),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        self.processes.append(process)
        return process

    @property
    def left(self) -> list[str]:
        """The attempts' folders."""
        return [path.name for path in (self.folder / "attempts").glob("*")]

    @property
    def parent_waits(self) -> bool:
        """Whether a warm parent listens in the folder."""
        return (self.folder / "warm.sock").exists()


@pytest.fixture
async def agents(tmp_path: Path, peer: Peer) -> AsyncGenerator[Agents]:
    agents = Agents(tmp_path / "agent", peer)
    yield agents
    for process in agents.processes:
        if process.returncode is None:
            process.kill()
        await process.wait()
    end_runners(agents.folder)


async def ended(process: Process) -> int:
    return await asyncio.wait_for(process.wait(), PATIENCE_S)


async def test_an_agent_for_one_job_takes_one_and_ends(agents: Agents, peer: Peer) -> None:
    """It asks for one only, and leaves when the server has all of it: well, however the job ended."""
    agent = await agents.start(once="once")
    await until(lambda: peer.free, "the agent to ask for work")
    held = await peer.lease(lease_of(1, "echo well; exit 3"))
    assert await ended(agent) == 0
    assert held.complete
    assert held.finished is not None
    assert held.finished.outcome.exit_code == 3
    assert peer.free == [1, 0]
    assert [hello.once for hello in peer.hellos] == [True]
    assert agents.left == []
    assert not agents.parent_waits


async def test_it_stays_until_the_server_knows_the_end(agents: Agents, peer: Peer) -> None:
    """Facts that were not noted would be lost with the machine."""
    agent = await agents.start(once="once")
    await until(lambda: peer.free, "the agent to ask for work")
    peer.refuse_facts = True
    held = await peer.lease(lease_of(1, "echo well"))
    await until(lambda: held.closed, "the log to be closed")
    await until(lambda: held.said >= 4, "the agent to have said all")
    assert agent.returncode is None
    peer.refuse_facts = False
    peer.cut()
    assert await ended(agent) == 0
    assert held.complete


async def test_one_that_was_killed_does_not_take_another_job(
    agents: Agents, peer: Peer, tmp_path: Path
) -> None:
    """What it left is the one."""
    agent = await agents.start(once="once")
    await until(lambda: peer.free, "the agent to ask for work")
    gate = tmp_path / "gate"
    held = await peer.lease(lease_of(1, f"until [ -e {gate} ]; do sleep 0.01; done"))
    await until(lambda: "step_began" in held.kinds, "the step to begin")
    agent.kill()
    await agent.wait()
    peer.free.clear()
    agent = await agents.start(once="once")
    await until(lambda: peer.free, "the agent to be connected again")
    gate.touch()
    assert await ended(agent) == 0
    assert held.finished is not None
    assert held.finished.outcome.state is AttemptState.PASSED
    assert set(peer.free) == {0}


async def test_an_agent_without_a_job_ends_after_its_time(agents: Agents, peer: Peer) -> None:
    """It says that it takes no more before it goes."""

    async def trial(time: int) -> None:
        peer.free.clear()
        agent = await agents.start(idle=f"{time}")
        assert await ended(agent) == 0
        assert peer.free == [4, 0]
        assert not agents.parent_waits

    await at_some_pace(trial)


async def test_so_does_one_that_reaches_no_server(agents: Agents, peer: Peer) -> None:
    """Its machine is paid for."""
    await peer.close()
    assert await ended(await agents.start(once="once", idle="0.2")) == 0


async def test_a_job_is_no_idle_time_and_begins_it_anew(agents: Agents, peer: Peer) -> None:
    """A job that takes longer is not ended."""
    agent = await agents.start(idle="1")
    await until(lambda: peer.free, "the agent to ask for work")
    held = await peer.lease(lease_of(1, "sleep 2.5"))
    assert await ended(agent) == 0
    assert held.finished is not None
    assert held.finished.outcome.state is AttemptState.PASSED


async def test_a_lease_that_crosses_the_farewell_is_done(agents: Agents, peer: Peer) -> None:
    """The server gave it before it had heard that the agent was going."""

    async def trial(time: int) -> None:
        peer.free.clear()
        agent = await agents.start(idle=f"{time}", last_call=f"{time}")
        await until(
            lambda: peer.free[-1:] == [0] or agent.returncode is not None, "the agent to take no more"
        )
        assert agent.returncode is None
        held = await peer.lease(lease_of(time, "echo well"))
        assert await ended(agent) == 0
        assert held.complete

    await at_some_pace(trial)
