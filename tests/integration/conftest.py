"""A real Tailrace: one for all tests that only use it, one of its own for each that stops or starts something."""

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


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Generator[House]:
    """A house with `tailrace up` running, shared: each test makes its own project."""
    with House(tmp_path_factory.mktemp("home")) as home:
        home.up()
        yield home
