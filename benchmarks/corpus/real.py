"""Real logs: what tools print that are on this machine anyway. What cannot be produced here is left out, and said."""

from __future__ import annotations

import asyncio
import shutil
import sys
from asyncio.subprocess import DEVNULL, STDOUT
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
WITHIN_S = 40
LEAST_BYTES = 2000
UNITS = 40
SOURCE = """#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
int work_{0}(const char *text, unsigned size) {{
    int unused_{0}; char copy[8]; int place;
    for (int at = 0; at < size; at++) copy[at % 8] = text[at];
    if (size > {0}) place = strlen(copy);
    printf("%d of %s", size, place);
    return place;
}}
"""


@dataclass(frozen=True)
class Recipe:
    """A command whose output is a log; `{folder}` in it is an empty folder."""

    name: str
    command: str
    quick: bool = False


RECIPES = (
    Recipe("git log -p", "git log -p -400", quick=True),
    Recipe(
        "gcc",
        f"cd {{folder}}; set -x; for n in $(seq {UNITS}); do gcc -Wall -Wextra -Wconversion -c unit_$n.c -o unit_$n.o; done",
    ),
    Recipe("unittest -v", "{python} -m unittest -v test.test_email test.test_json test.test_argparse"),
    Recipe("pytest -v", "{python} -m pytest -v -p no:cacheprovider tests/unit/domain tests/unit/steps; true"),
    Recipe(
        "pip install -v",
        "{python} -m pip install -v --no-cache-dir --target {folder}/packages"
        " alembic cyclopts fastapi httpx2 hypothesis psycopg pytest-asyncio pytest-xdist structlog uvicorn websockets",
    ),
    Recipe(
        "npm ci",
        "cp web/package.json web/package-lock.json {folder} && cd {folder} && npm ci --loglevel silly --ignore-scripts",
    ),
)


@dataclass(frozen=True)
class RealLog:
    """What a tool printed."""

    name: str
    path: Path


async def collect(folder: Path, quick: bool) -> tuple[list[RealLog], list[str]]:
    """The logs, and the names of those that this machine does not give; two commands at a time."""
    wanted = [recipe for recipe in RECIPES if recipe.quick or not quick]
    room = asyncio.Semaphore(2)

    async def produce(recipe: Recipe) -> bool:
        async with room:
            return await _produce(recipe, folder)

    there = await asyncio.gather(*(produce(recipe) for recipe in wanted))
    logs = [
        RealLog(recipe.name, _output(folder, recipe))
        for recipe, good in zip(wanted, there, strict=True)
        if good
    ]
    return logs, [recipe.name for recipe, good in zip(wanted, there, strict=True) if not good]


async def _produce(recipe: Recipe, folder: Path) -> bool:
    own = folder / f"{recipe.name.replace(' ', '-')}-work"
    own.mkdir(parents=True)
    for number in range(1, UNITS + 1) if recipe.name == "gcc" else ():
        (own / f"unit_{number}.c").write_text(SOURCE.format(number))
    output = _output(folder, recipe)
    with output.open("wb") as file:
        process = await asyncio.create_subprocess_shell(
            recipe.command.format(folder=own, python=sys.executable),
            cwd=CHECKOUT,
            stdin=DEVNULL,
            stdout=file,
            stderr=STDOUT,
        )
        try:
            status = await asyncio.wait_for(process.wait(), WITHIN_S)
        except TimeoutError:
            process.kill()
            status = await process.wait()
    shutil.rmtree(own)
    return status == 0 and output.stat().st_size >= LEAST_BYTES


def _output(folder: Path, recipe: Recipe) -> Path:
    return folder / f"{recipe.name.replace(' ', '-')}.txt"
