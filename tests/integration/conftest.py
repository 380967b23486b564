"""A real Tailrace of its own for each test that stops or starts something; the others share `home`."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support.house import House


@pytest.fixture
def house(tmp_path: Path) -> Generator[House]:
    """A house of the test's own, in which nothing runs yet."""
    with House(tmp_path) as house:
        yield house
