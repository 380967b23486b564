from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.support.live_house import LiveHouse, live_house


@pytest.fixture
async def house(tmp_path: Path) -> AsyncGenerator[LiveHouse]:
    """A server with logs and watchers, and an empty log 7."""
    async with live_house(tmp_path / "logs") as running:
        running.create(7)
        yield running
