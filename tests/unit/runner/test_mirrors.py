"""Mirrors are kept while somebody uses them, and not for ever after."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from tailrace.runner.mirrors import Mirror
from tailrace.runner.shared import remove_unused

DAY_S = 86_400.0
PLENTY = 1 << 40


def make(folder: Path, name: str, days_unused: float, size: int = 1000) -> Mirror:
    """A mirror with a file, used so many days ago."""
    mirror = Mirror(folder, f"https://example.org/{name}.git")
    with mirror.used():
        mirror.path.mkdir()
        (mirror.path / "pack").write_bytes(os.urandom(size))
    (mark,) = folder.glob(f"{name}-*.used")
    used_at = time.time() - days_unused * DAY_S
    os.utime(mark, (used_at, used_at))
    return mirror


def test_what_was_not_used_for_long_is_removed(tmp_path: Path) -> None:
    """By the time of its last use; a folder without mirrors is no error."""
    assert remove_unused(tmp_path / "none", DAY_S, PLENTY) == []
    old, young = make(tmp_path, "old", 20), make(tmp_path, "young", 1)
    assert remove_unused(tmp_path, 14 * DAY_S, PLENTY) == [old.path]
    assert young.path.exists()
    assert not old.path.exists()


def test_the_longest_unused_goes_first_when_there_is_no_room(tmp_path: Path) -> None:
    """And no more than has to."""
    first, second, third = (make(tmp_path, f"m{days}", days, 1 << 20) for days in (3, 2, 1))
    assert remove_unused(tmp_path, 14 * DAY_S, (2 << 20) + 100_000) == [first.path]
    assert second.path.exists()
    assert third.path.exists()


def test_a_mirror_in_use_stays(tmp_path: Path) -> None:
    """However old its mark is: workspaces borrow from it."""
    mirror = make(tmp_path, "old", 20)
    with mirror.used():
        (mark,) = tmp_path.glob("*.used")
        os.utime(mark, (0, 0))
        assert remove_unused(tmp_path, DAY_S, PLENTY) == []
    assert remove_unused(tmp_path, DAY_S, PLENTY) == [mirror.path]


async def test_one_at_a_time_changes_a_mirror(tmp_path: Path) -> None:
    """The others wait, and leave off when they are told to stop."""
    mirror, other = Mirror(tmp_path, "/r"), Mirror(tmp_path, "/r")
    order: list[str] = []
    stopped = False

    async def second() -> None:
        async with other.changing(lambda: order.append("said"), lambda: stopped) as free:
            order.append(f"second {free}")

    async with mirror.changing(lambda: None, lambda: False) as free:
        assert free
        waiting = asyncio.create_task(second())
        while "said" not in order:
            await asyncio.sleep(0.01)
        order.append("first leaves")
    await waiting
    assert order == ["said", "first leaves", "second True"]
    async with mirror.changing(lambda: None, lambda: False):
        stopped = True
        await second()
    assert order[-1] == "second False"
