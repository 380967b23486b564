"""The checkout of a large repository that the agent has checked out before: the step's own time, as its run shows it.

The baseline is what git does where the objects are on the machine: `git clone --shared` of a mirror into a new folder.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.harness import Report, compare
from tests.support.house import House

FILES = 20_000
IN_A_FOLDER = 100
FILE_BYTES = 2_000


async def measure(folder: Path, quick: bool) -> Report:
    """Seconds until the files of a revision are in a new workspace, the mirror having its objects."""
    source = _repository(folder / "source", 200 if quick else FILES)
    mirror = folder / "mirror.git"
    _git(folder, "clone", "--quiet", "--mirror", str(source), str(mirror))
    with House(folder) as house:
        house.up()
        plan = house.script_plan("true", checkout=True, project=house.project("large", str(source)))
        house.wait_state(house.run(plan), "passed", seconds=300)
        row = await compare(
            f"checkout: {200 if quick else FILES:,} files, the second time",
            "s",
            1 if quick else 5,
            lambda: asyncio.to_thread(_ours, house, plan),
            lambda: asyncio.to_thread(_bare, folder, mirror),
        )
    many = 200 if quick else FILES
    note = (
        f"checkout: the disk made {many:,} empty files in {_create(folder / 'empty', many):.2f} s just after."
    )
    return Report((replace(row, limit="≤ 1 s"),), (note,))


def _create(folder: Path, files: int) -> float:
    """The seconds that so many new files take, whatever is in them."""
    began = time.perf_counter()
    for number in range(files):
        place = folder / str(number // IN_A_FOLDER)
        place.mkdir(parents=True, exist_ok=True)
        (place / str(number)).touch()
    return time.perf_counter() - began


def _ours(house: House, plan: int) -> float:
    run = house.run(plan)
    house.wait_state(run, "passed", seconds=300)
    checkout: dict[str, Any] = house.attempt(run)["steps"][0]
    return _moment(checkout["ended_at"]) - _moment(checkout["began_at"])


def _bare(folder: Path, mirror: Path) -> float:
    clone = folder / "clone"
    began = time.perf_counter()
    _git(folder, "clone", "--quiet", "--shared", str(mirror), str(clone))
    taken = time.perf_counter() - began
    shutil.rmtree(clone)
    return taken


def _repository(path: Path, files: int) -> Path:
    for number in range(files):
        file = path / f"folder-{number // IN_A_FOLDER}" / f"file-{number}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{number}\n" * (FILE_BYTES // (len(str(number)) + 1)))
    _git(path, "init", "--quiet", "--initial-branch=main", "--template=")
    _git(path, "add", ".")
    _git(path, "commit", "--quiet", "--message=All of it")
    return path


def _git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=bench", "-c", "user.email=bench@example.org")
    subprocess.run(("git", *identity, *words), cwd=folder, check=True)


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
