"""`make setup` says in words why a machine's Python will not do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[3]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that was never set up."""
    copy = tmp_path / "checkout"
    (copy / "tools").mkdir(parents=True)
    for name in ("tools/setup.sh", "requirements.lock", "pyproject.toml"):
        shutil.copy(CHECKOUT / name, copy / name)
    return copy


def interpreter(path: Path, prelude: str) -> Path:
    """A Python that runs `prelude` before any `-c` command."""
    path.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{prelude}; $2"\n')
    path.chmod(0o755)
    return path


def refusal(checkout: Path, python: str) -> str:
    done = subprocess.run(
        [checkout / "tools" / "setup.sh"],
        env=os.environ | {"PYTHON": python},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert not (checkout / ".venv").exists()
    return done.stderr


def test_an_old_python_is_named_with_its_version(checkout: Path, tmp_path: Path) -> None:
    old = interpreter(tmp_path / "python", "import sys; sys.version_info = (3, 9, 2)")
    assert f"Tailrace needs Python 3.11 or newer, but {old} is 3.9." in refusal(checkout, str(old))


def test_a_python_without_ensurepip_names_the_package_that_has_it(checkout: Path, tmp_path: Path) -> None:
    bare = interpreter(
        tmp_path / "python", "import sys; sys.version_info = (3, 12, 1); sys.modules['ensurepip'] = None"
    )
    assert "apt-get install python3.12-venv" in refusal(checkout, str(bare))


def test_no_python_at_all_says_how_to_name_one(checkout: Path, tmp_path: Path) -> None:
    said = refusal(checkout, str(tmp_path / "nowhere"))
    assert f"none of these runs: {tmp_path / 'nowhere'}" in said
    assert "make setup PYTHON=" in said
