"""What goes into `tailrace-agent.pyz`, and what it says to an interpreter that it is not for."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tools.pyz import BuildFailed, agent_pins, base_packages, build

CHECKOUT = Path(__file__).parents[3]
MAIN = CHECKOUT / "tools" / "agent_file" / "__main__.py"
LOCK = """\
# made by a machine
alpha==1.0 \\
    --hash=sha256:aa
    # via tailrace (pyproject.toml)
beta-gamma==2.0 ; python_full_version < '3.12' \\
    --hash=sha256:bb
    # via
    #   Alpha
    #   other
other==3.0 \\
    --hash=sha256:cc
    # via tailrace (pyproject.toml)
under==4.0 \\
    --hash=sha256:dd
    # via beta-gamma
"""


@pytest.fixture
def beginning() -> ModuleType:
    """The file's first module."""
    spec = importlib.util.spec_from_file_location("agent_file_main", MAIN)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_holds_what_its_packages_need_and_no_more() -> None:
    """With hashes and markers as they are."""
    pins = agent_pins(LOCK, {"alpha"})
    assert pins.splitlines()[0] == "alpha==1.0 \\"
    assert "beta-gamma==2.0 ; python_full_version < '3.12' \\\n    --hash=sha256:bb\n" in pins
    assert "under==4.0" in pins
    assert "other==3.0" not in pins


def test_what_an_agent_needs_is_locked() -> None:
    """And brings nothing of the server's along."""
    pins = agent_pins((CHECKOUT / "requirements.lock").read_text(), base_packages())
    names = {line.partition("==")[0] for line in pins.splitlines() if "==" in line and line[0] != " "}
    assert {"pydantic", "pydantic-core", "websockets", "google-re2", "h11"} <= names
    assert names.isdisjoint({"fastapi", "starlette", "sqlalchemy", "uvicorn", "cryptography", "pytest"})


def test_a_package_that_is_not_locked_is_named() -> None:
    """With what to do."""
    with pytest.raises(BuildFailed, match=r"requirements\.lock lacks omega: run `make lock`"):
        agent_pins(LOCK, {"alpha", "omega"})


def test_a_kind_of_interpreter_that_is_none_is_named(tmp_path: Path) -> None:
    """With one that is."""
    with pytest.raises(
        BuildFailed, match="'py3' is no kind of interpreter: expected one such as cp311-linux"
    ):
        build(tmp_path / "out.pyz", ["py3"])
    assert list(tmp_path.iterdir()) == []


def test_this_machine_has_a_kind(beginning: ModuleType) -> None:
    """The builder's name for it."""
    assert beginning.kind() == f"cp3{sys.version_info[1]}-linux-{os.uname().machine}"


@pytest.mark.parametrize(
    ("libc", "system"),
    [
        ("glibc 2.28", "-linux-"),
        ("glibc 2.17", "-linux-with-glibc-before-2.28-"),
        ("", "-linux-without-glibc-"),
    ],
)
def test_a_c_library_that_the_parts_are_not_made_for_is_told(
    beginning: ModuleType, monkeypatch: pytest.MonkeyPatch, libc: str, system: str
) -> None:
    """They would fail at their import, with words that nobody understands."""

    def confstr(_: str) -> str:
        return libc

    monkeypatch.setattr(os, "confstr", confstr)
    assert system in beginning.kind()


def test_an_old_python_is_told_what_it_takes(tmp_path: Path) -> None:
    """The module is read by it, and that is all."""
    script = (
        "import runpy, sys; sys.version_info = (3, 8); sys.argv = ['tailrace-agent.pyz'];"
        f" runpy.run_path({str(MAIN)!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "tailrace-agent: it needs Python 3.11 or newer, and this is 3.8\n"
