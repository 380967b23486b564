"""A real Tailrace for each test that asks for one."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support.house import House


@pytest.fixture
def house(tmp_path: Path) -> Generator[House]:
    """A house in which nothing runs yet."""
    with House(tmp_path) as house:
        yield house


@pytest.fixture
def home(house: House) -> House:
    """A house with `tailrace up` running."""
    house.up()
    return house
