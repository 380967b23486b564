from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.unit.agent.bench import Bench
from tests.unit.agent.peer import Peer


@pytest.fixture
async def peer() -> AsyncGenerator[Peer]:
    """A server that listens."""
    peer = Peer()
    await peer.open()
    yield peer
    await peer.close()


@pytest.fixture
async def bench(tmp_path: Path, peer: Peer) -> AsyncGenerator[Bench]:
    """An agent that is connected to the server, with two places."""
    async with Bench(tmp_path / "agent", peer) as bench:
        yield bench
