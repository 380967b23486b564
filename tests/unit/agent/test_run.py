"""Whole agents, as processes of their own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tailrace.agent.credential import CredentialFile
from tailrace.domain.spans import Stream
from tailrace.domain.states import AttemptState
from tests.support.pace import at_some_pace
from tests.unit.agent.bench import end_runners
from tests.unit.agent.peer import PATIENCE_S, Held, Peer, lease_of, until

_AGENT = """
import asyncio, sys
from pathlib import Path
from tailrace.agent import run
from tailrace.agent.run import AgentConfig, run_agent
folder, server, token, follow, hurry = sys.argv[1:]
run.HURRY_S, run.WIND_UP_S = float(hurry), 90.0
config = AgentConfig(Path(folder), server, "host", token or None, ("linux",), 2, bool(follow))
sys.exit(asyncio.run(run_agent(config)))
"""
# Starts its arguments, says their process id, and stays until it is killed.
_PARENT = "import subprocess, sys; print(subprocess.Popen(sys.argv[1:]).pid, flush=True); sys.stdin.read()"

Process = asyncio.subprocess.Process


class Agents:
    """Agents in one folder."""

    def __init__(self, folder: Path, peer: Peer) -> None:
        self.folder = folder
        self.peer = peer
        self.processes: list[Process] = []
        folder.mkdir()
        CredentialFile(folder).keep(peer.identity)

    async def start(
        self, token: str = "", follow: str = "", parent: tuple[str, ...] = (), hurry_s: float = 2
    ) -> Process:
        """An agent."""
        process = await asyncio.create_subprocess_exec(
            *parent,
            *(sys.executable, "-c", _AGENT, str(self.folder), self.peer.url, token, follow, str(hurry_s)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        self.processes.append(process)
        return process

    async def connected(self, hurry_s: float = 2) -> Process:
        """An agent, once it is connected."""
        hellos = len(self.peer.hellos)
        process = await self.start(hurry_s=hurry_s)
        await until(lambda: len(self.peer.hellos) > hellos and self.peer.connected, "the agent to connect")
        return process

    async def clear(self) -> None:
        for process in self.processes:
            if process.returncode is None:
                process.kill()
            await process.wait()
        end_runners(self.folder)


@pytest.fixture
async def agents(tmp_path: Path, peer: Peer) -> AsyncGenerator[Agents]:
    agents = Agents(tmp_path / "agent", peer)
    yield agents
    await agents.clear()


async def ended(process: Process) -> int:
    return await asyncio.wait_for(process.wait(), PATIENCE_S)


async def counting(peer: Peer, tmp_path: Path, attempt: int = 1) -> tuple[Held, Path]:
    """An attempt that writes numbered lines until its gate opens."""
    gate = tmp_path / "gate"
    program = (
        f"i=0; while [ ! -e {gate} ]; do echo $i; i=$((i+1)); sleep 0.005; done; echo $i > {tmp_path}/count"
    )
    held = await peer.lease(lease_of(attempt, program))
    await until(lambda: "step_began" in held.kinds, "the step to begin")
    return held, gate


def assert_counted(held: Held, tmp_path: Path) -> None:
    assert held.finished is not None
    outcome = held.finished.outcome
    assert (outcome.state, outcome.detail) == (AttemptState.PASSED, None)
    assert held.kinds == ["started", "step_began", "step_ended", "finished"]
    count = int((tmp_path / "count").read_text())
    assert held.output(Stream.STDOUT).decode().splitlines() == [str(number) for number in range(count)]


async def test_a_killed_agent_loses_nothing(agents: Agents, peer: Peer, tmp_path: Path) -> None:
    """kill -9, twice: the runner goes on, the next agent takes it up, everything arrives once."""
    agent = await agents.connected()
    held, gate = await counting(peer, tmp_path)
    for _ in range(2):
        agent.kill()
        await agent.wait()
        agent = await agents.connected()
        size = len(held.data)
        await until(lambda size=size: len(held.data) > size, "more output")
    gate.touch()
    await until(lambda: held.complete, "the attempt to be complete")
    assert_counted(held, tmp_path)


async def test_a_job_may_end_while_no_agent_is_there(agents: Agents, peer: Peer, tmp_path: Path) -> None:
    """The next agent brings its end."""
    agent = await agents.connected()
    held, gate = await counting(peer, tmp_path)
    agent.kill()
    await agent.wait()
    gate.touch()
    await until((tmp_path / "count").exists, "the job's end")
    await agents.connected()
    await until(lambda: held.complete, "the attempt to be complete")
    assert_counted(held, tmp_path)


async def test_sigterm_detaches(agents: Agents, peer: Peer, tmp_path: Path) -> None:
    """The agent ends well and at once, its jobs go on."""
    agent = await agents.connected()
    held, gate = await counting(peer, tmp_path)
    agent.terminate()
    assert await ended(agent) == 0
    await agents.connected()
    gate.touch()
    await until(lambda: held.complete, "the attempt to be complete")
    assert_counted(held, tmp_path)


async def test_ctrl_c_aborts_and_tells(agents: Agents, peer: Peer, tmp_path: Path) -> None:
    """The server knows how all ended before the agent is gone, also what had not begun."""
    agent = await agents.connected()
    running = [await peer.lease(lease_of(number, "sleep 1000")) for number in (1, 2)]
    await until(lambda: all("step_began" in held.kinds for held in running), "both to begin")
    waiting = await peer.lease(lease_of(3, "true"))
    agent.send_signal(signal.SIGINT)
    assert await ended(agent) == 130
    assert peer.free[-1] == 0
    for held in (*running, waiting):
        assert held.complete
        assert held.finished is not None
        assert held.finished.outcome.state is AttemptState.ABORTED
        assert "the agent (Ctrl-C)" in (held.finished.outcome.detail or "")


async def test_a_second_ctrl_c_does_not_wait(agents: Agents, peer: Peer, tmp_path: Path) -> None:
    """A job that does not heed SIGTERM ends without this agent; the next one tells of it."""

    async def trial(time: int) -> None:
        agent = await agents.connected(hurry_s=time)
        ready, asked = tmp_path / f"ready-{time}", tmp_path / f"asked-{time}"
        stubborn = f"trap 'touch {asked}' TERM; touch {ready}; while :; do sleep 0.1 || true; done"
        held = await peer.lease(lease_of(time, stubborn))
        await until(ready.exists, "the job to begin")
        agent.send_signal(signal.SIGINT)
        await until(asked.exists, "the job to be asked")
        agent.send_signal(signal.SIGINT)
        assert await ended(agent) == 130
        assert held.finished is None
        agent = await agents.connected()
        await until(lambda: held.complete, "the attempt to be complete")
        assert held.finished is not None
        assert held.finished.outcome.state is AttemptState.ABORTED

    await at_some_pace(trial)


async def test_one_agent_per_folder(agents: Agents, peer: Peer, capfd: pytest.CaptureFixture[str]) -> None:
    """The second one ends and leaves the first alone."""
    await agents.connected()
    assert await ended(await agents.start()) == 1
    assert peer.connected
    assert len(peer.hellos) == 1


async def test_an_agent_without_credential_and_token_ends(agents: Agents) -> None:
    """It cannot become one by waiting."""
    (agents.folder / "credential.json").unlink()
    assert await ended(await agents.start()) == 1


async def test_an_agent_whose_credential_is_refused_ends(agents: Agents, peer: Peer) -> None:
    """Without a token there is nothing that it could do."""
    peer.credential = "another"
    assert await ended(await agents.start()) == 1
    assert not peer.hellos


async def test_an_agent_whose_credential_is_refused_registers_again(agents: Agents, peer: Peer) -> None:
    """With the token given, and keeps the new credential."""
    registered: list[bytes] = []

    async def register(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Takes registrations; passes WebSockets on to the peer."""
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"POST /api/agents/register "):
            registered.append(head)
            body = b'{"id": 2, "credential": "new"}'
            writer.write(
                b"HTTP/1.1 201 Created\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b"
                % (len(body), body)
            )
            await writer.drain()
            writer.close()
            return
        upstream_reader, upstream = await asyncio.open_connection(
            "127.0.0.1", int(peer.url.rpartition(":")[2])
        )
        upstream.write(head)
        await asyncio.gather(_copy(reader, upstream), _copy(upstream_reader, writer))

    front = await asyncio.start_server(register, "127.0.0.1", 0)
    port = front.sockets[0].getsockname()[1]
    peer.credential = "new"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _AGENT, str(agents.folder), f"http://127.0.0.1:{port}", "token", "", "2"),
        stderr=asyncio.subprocess.DEVNULL,
    )
    agents.processes.append(process)
    await until(lambda: peer.connected, "the agent to connect")
    kept = CredentialFile(agents.folder).read()
    assert kept is not None
    assert (kept.id, kept.credential, len(registered)) == (2, "new", 1)
    process.terminate()
    assert await ended(process) == 0
    front.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def test_a_companion_detaches_when_its_parent_dies(agents: Agents, peer: Peer, tmp_path: Path) -> None:
    """As by SIGTERM: its jobs go on."""
    parent = await agents.start(follow="yes", parent=(sys.executable, "-c", _PARENT))
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    await until(lambda: peer.connected, "the agent to connect")
    held, gate = await counting(peer, tmp_path)
    parent.kill()
    await until(lambda: not _lives(pid), "the agent to end")
    await agents.connected()
    gate.touch()
    await until(lambda: held.complete, "the attempt to be complete")
    assert_counted(held, tmp_path)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
