from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from functools import partial
from pathlib import Path

import pytest
import uvloop

from tests.support.live_house import LiveHouse, OpenHouse, live_house


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that servers run on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(params=["detached", "asgi"])
def open_house(request: pytest.FixtureRequest, tmp_path: Path) -> OpenHouse:
    """Makes a server with logs and watchers: with detached transports, and on the plain ASGI server."""
    return partial(live_house, tmp_path / "logs", detached=request.param == "detached")


@pytest.fixture
async def house(open_house: OpenHouse) -> AsyncGenerator[LiveHouse]:
    """A server with logs and watchers, and an empty log 7."""
    async with open_house() as running:
        running.create(7)
        yield running
