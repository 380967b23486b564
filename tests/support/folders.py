"""Folders that processes have used."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.support.waiting import wait_for


def remove(folder: Path) -> None:
    """Remove a folder and what is in it, also while processes that end make or remove something there."""

    def gone() -> bool:
        shutil.rmtree(folder, ignore_errors=True)
        return not folder.exists()

    wait_for(gone, f"{folder} to be left alone")
