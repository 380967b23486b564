from __future__ import annotations

import asyncio
import socket
from collections.abc import Generator
from pathlib import Path

import pytest

from tailrace.runner.folder import AttemptFolder
from tailrace.runner.sockets import address
from tailrace.runner.wake import Wake
from tests.unit.runner.bench import until


@pytest.fixture
def folder(tmp_path: Path) -> AttemptFolder:
    path = tmp_path / ("long" * 30) / "attempts" / "7-ab12"
    path.mkdir(parents=True)
    return AttemptFolder(path)


@pytest.fixture
def agent(folder: AttemptFolder) -> Generator[socket.socket, None, None]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening, address(folder.wake) as name:
        listening.bind(name)
        listening.setblocking(False)
        yield listening


def heard(agent: socket.socket) -> list[bytes]:
    found: list[bytes] = []
    while True:
        try:
            found.append(agent.recv(100))
        except BlockingIOError:
            return found


async def test_the_first_touch_after_idle_wakes_at_once(folder: AttemptFolder, agent: socket.socket) -> None:
    """The datagram is the folder's name; further touches within the pause make one more, after it."""
    wake = Wake(folder)
    wake.touch()
    assert heard(agent) == [b"7-ab12"]
    for _ in range(100):
        wake.touch()
    assert heard(agent) == []
    assert await until(lambda: heard(agent)) == [b"7-ab12"]
    wake.close()


async def test_an_agent_that_does_not_listen_is_no_trouble(folder: AttemptFolder) -> None:
    """Before an agent, after an agent, and with the next agent's socket in the same place."""
    wake = Wake(folder)
    assert wake.now()
    for _ in range(2):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as agent, address(folder.wake) as name:
            agent.bind(name)
            agent.setblocking(False)
            assert wake.now()
            assert heard(agent) == [b"7-ab12"]
        assert wake.now()
        folder.wake.unlink()
    wake.close()


async def test_a_full_queue_is_tried_again(folder: AttemptFolder, agent: socket.socket) -> None:
    """A touch that found the agent's queue full arrives when there is room."""
    wake, other = Wake(folder), Wake(AttemptFolder(folder.path.parent / "8-cd34"))
    while other.now():
        pass
    wake.touch()
    assert b"7-ab12" not in heard(agent)
    assert await until(lambda: heard(agent)) == [b"7-ab12"]
    await asyncio.sleep(0)
    wake.close()
    other.close()
