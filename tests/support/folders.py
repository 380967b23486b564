"""Folders that processes have used."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from tests.support.waiting import wait_for


def remove(folder: Path) -> None:
    """Remove a folder and what is in it, also while processes that end make or remove something there."""

    def gone() -> bool:
        shutil.rmtree(folder, ignore_errors=True)
        return not folder.exists()

    wait_for(gone, f"{folder} to be left alone")


def contents(folder: Path) -> dict[Path, bytes]:
    """Every file below a folder and what is in it; without those that go while one looks, and without links."""
    found: dict[Path, bytes] = {}
    for place, _, names in os.walk(folder):
        for path in (Path(place, name) for name in names):
            with suppress(FileNotFoundError):
                if path.is_file() and not path.is_symlink():
                    found[path] = path.read_bytes()
    return found
