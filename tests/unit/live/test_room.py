"""Room for watchers under the system's limit of open files."""

from __future__ import annotations

import resource
from collections.abc import Generator

import pytest

from tailrace.live.room import OTHER_FILES, make_room


@pytest.fixture(autouse=True)
def _limits() -> Generator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_limit_is_raised_as_far_as_needed() -> None:
    """And no further: what this process starts inherits it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    assert make_room(500) == 500
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (500 + OTHER_FILES, hard)
    assert make_room(10) == 10
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 500 + OTHER_FILES


def test_a_hard_limit_leaves_room_for_fewer() -> None:
    """All that it grants is used, and the rest of the server keeps its part."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY:
        pytest.skip("this machine has no limit")
    assert make_room(hard) == hard - OTHER_FILES
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == hard
