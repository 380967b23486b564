from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tailrace.agent.connection import Connection, socket_url
from tailrace.agent.link import Link
from tailrace.domain.errors import Invalid, Unauthorised
from tailrace.domain.report import Load
from tailrace.domain.wire import Abort, Hello, ServerMessage
from tests.unit.agent.bench import Bench
from tests.unit.agent.peer import Peer, lease_of, until


class Listener:
    """An agent that only listens."""

    def __init__(self) -> None:
        self.said: list[ServerMessage] = []
        self.came = 0
        self.went = 0

    def hello(self) -> Hello:
        return Hello(version="test", labels=(), capacity=1)

    def load(self) -> Load:
        return Load(waiting=0, memory_free=0, disk_free=0)

    def connected(self, link: Link) -> None:
        self.came += 1

    def disconnected(self) -> None:
        self.went += 1

    def heard(self, message: ServerMessage) -> None:
        self.said.append(message)


async def test_an_agent_comes_back_whenever_it_is_cut_off(bench: Bench, peer: Peer) -> None:
    """Again and again, and with each hello it says what it holds."""
    held = await peer.lease(lease_of(1, "sleep 1000"))
    await until(lambda: held.kinds, "the attempt to begin")
    for number in range(2, 5):
        peer.cut()
        await until(
            lambda number=number: len(peer.hellos) == number and peer.connected, "the agent to be back"
        )
        assert [(one.attempt, one.cookie) for one in peer.hellos[-1].holds] == [(1, held.lease.cookie)]


async def test_an_agent_waits_for_a_server_that_is_away(bench: Bench, peer: Peer) -> None:
    """However often it has tried in vain."""
    tries = 0

    def shut(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tries
        tries += 1
        writer.close()

    await peer.close()
    nobody = await asyncio.start_server(shut, "127.0.0.1", int(peer.url.rpartition(":")[2]))
    await until(lambda: tries >= 3, "the agent to have tried in vain")
    nobody.close()
    await nobody.wait_closed()
    await peer.open()
    await until(lambda: len(peer.hellos) == 2, "the agent to be back")


async def test_an_agent_says_each_new_cause_of_its_absence(peer: Peer) -> None:
    """Once for each: a server that was away may come back as one that wants another version, and only this one can be mended."""
    await peer.close()
    with capture_logs() as logs:
        task = asyncio.create_task(Connection(peer.url, peer.identity, Listener()).run())
        await until(lambda: logs, "the agent to have tried in vain")
        peer.greeting = "upgrade the agent"
        await peer.open()
        await until(lambda: len(peer.hellos) == 2, "the agent to have tried twice more")
        task.cancel()
    away, skewed = (entry["why"] for entry in logs if "not connected" in entry["event"])
    assert "Connect call failed" in away
    assert skewed == "upgrade the agent"


async def test_an_idle_agent_beats(peer: Peer) -> None:
    """Before the server's patience ends."""
    peer.beat_s = 0.1
    task = asyncio.create_task(Connection(peer.url, peer.identity, Listener()).run())
    await until(lambda: peer.beats >= 3, "three beats")
    assert len(peer.hellos) == 1
    task.cancel()


async def test_a_refused_credential_ends_the_connection(peer: Peer) -> None:
    """There is no sense in trying again; the error says what to do."""
    identity = peer.identity
    peer.credential = "another"
    with pytest.raises(Unauthorised, match="register again with --token"):
        await Connection(peer.url, identity, Listener()).run()


async def test_a_message_that_is_not_understood_is_passed_over(peer: Peer) -> None:
    """A newer server may say more than this agent knows: it is told so, and the connection goes on."""
    listener = Listener()
    task = asyncio.create_task(Connection(peer.url, peer.identity, listener).run())
    await peer.say_raw('{"kind": "sing"}')
    await peer.abort(1, "alice")
    await until(lambda: listener.said, "the next message")
    assert listener.said == [Abort(attempt=1, by="alice")]
    await until(lambda: peer.troubles, "the trouble to be told")
    assert (listener.came, listener.went) == (1, 0)
    task.cancel()


async def test_a_large_lease_arrives(bench: Bench, peer: Peer, tmp_path: Path) -> None:
    """Its script alone is larger than what WebSocket clients take unless told otherwise."""
    held = await peer.lease(lease_of(1, f"#{'x' * 2_000_000}\necho ran"))
    await until(lambda: held.complete, "the attempt to be complete")
    assert b"ran\n" in held.data


@pytest.mark.parametrize(
    ("server", "socket"),
    [
        ("http://127.0.0.1:8000", "ws://127.0.0.1:8000/agent/v1"),
        ("https://ci.example.org/", "wss://ci.example.org/agent/v1"),
        ("https://example.org/tailrace", "wss://example.org/tailrace/agent/v1"),
    ],
)
def test_where_agents_connect(server: str, socket: str) -> None:
    """The server's address, with the scheme of WebSockets."""
    assert socket_url(server) == socket


def test_an_address_that_is_none_is_refused() -> None:
    """With what is allowed."""
    with pytest.raises(Invalid, match="expected http://"):
        socket_url("ci.example.org")
