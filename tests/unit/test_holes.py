"""Holes: the space of a file's beginning is given back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tailrace.holes import punch

MIB = 1024 * 1024


def test_a_hole_frees_its_blocks_and_keeps_the_rest(tmp_path: Path) -> None:
    """Size and later bytes stay; the hole reads as zeros."""
    path = tmp_path / "file"
    path.write_bytes(b"a" * 2 * MIB + b"b" * 100)
    with path.open("r+b") as file:
        os.fsync(file.fileno())
        before = path.stat().st_blocks
        if not punch(file.fileno(), 0, 2 * MIB):
            pytest.skip("this file system punches no holes")
        assert path.stat().st_blocks < before / 2
    assert path.stat().st_size == 2 * MIB + 100
    data = path.read_bytes()
    assert data[-100:] == b"b" * 100
    assert data[: 2 * MIB] == bytes(2 * MIB)


def test_an_empty_stretch_is_no_error_and_a_closed_file_is_one(tmp_path: Path) -> None:
    """Nothing to free is freed."""
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    with path.open("r+b") as file:
        assert punch(file.fileno(), 2, 2)
        handle = os.dup(file.fileno())
    os.close(handle)
    with pytest.raises(OSError):
        punch(handle, 0, 1)
    assert path.read_bytes() == b"abc"
