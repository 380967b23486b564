from __future__ import annotations

import re
import subprocess
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
# Parts of `make check`, which says what they do.
PARTS = {"check-format", "check-lint", "check-types", "check-imports", "check-page"}


def make(*arguments: str) -> str:
    return subprocess.run(
        ["make", *arguments], cwd=CHECKOUT, capture_output=True, text=True, check=True
    ).stdout


def test_make_alone_lists_every_target_and_does_nothing() -> None:
    makefile = (CHECKOUT / "Makefile").read_text()
    [phony] = re.findall(r"^\.PHONY:((?:.*\\\n)*.*)", makefile, flags=re.MULTILINE)
    targets = set(phony.replace("\\\n", " ").split()) - PARTS
    assert {"run", "test", "check", "setup", "bench"} <= targets
    listed = dict(re.findall(r"^  make (\S+) +(\S.*)$", make(), flags=re.MULTILINE))
    assert set(listed) == targets


def test_every_target_has_a_recipe_that_make_understands() -> None:
    listed = re.findall(r"^  make (\S+)", make("help"), flags=re.MULTILINE)
    make("--dry-run", *listed)
