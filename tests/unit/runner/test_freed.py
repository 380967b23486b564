"""What an agent remembers of the bytes that it gave back to the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from tailrace.runner.freed import MARK_BYTES, Mark, freeable, keep_mark, read_mark


def test_a_mark_is_read_as_it_was_kept(tmp_path: Path) -> None:
    """The newest counts; without a file nothing is freed."""
    path = tmp_path / "freed"
    assert read_mark(path) == Mark(0, 0)
    for number in range(1, 6):
        keep_mark(path, Mark(number << 20, number))
        assert read_mark(path) == Mark(number << 20, number)
    assert path.stat().st_size <= MARK_BYTES


@pytest.mark.parametrize("torn", range(16))
def test_a_mark_that_a_crash_left_half_written_does_not_count(tmp_path: Path, torn: int) -> None:
    """The one before it does, wherever the writing stopped."""
    path = tmp_path / "freed"
    keep_mark(path, Mark(1 << 20, 0x01020304))
    before = path.read_bytes()
    keep_mark(path, Mark(2 << 20, 0xF1F2F3F4))
    after = path.read_bytes()
    place = next(at for at, (a, b) in enumerate(zip(before.ljust(32, b"\0"), after, strict=True)) if a != b)
    slot = place // 16 * 16
    path.write_bytes(
        after[: slot + torn] + before.ljust(32, b"\0")[slot + torn : slot + 16] + after[slot + 16 :]
    )
    assert read_mark(path) == Mark(1 << 20, 0x01020304)


def test_whole_mebibytes_are_freed_and_never_the_last_byte() -> None:
    """Whoever goes on writing looks whether a line has ended there."""
    mib = 1 << 20
    assert [freeable(n) for n in (0, 1, mib, mib + 1, 5 * mib, 5 * mib + 7)] == [
        0,
        0,
        0,
        mib,
        4 * mib,
        5 * mib,
    ]
