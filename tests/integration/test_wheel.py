"""What is published: a wheel with the built page, an sdist with the page's sources."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
from packaging.requirements import Requirement

CHECKOUT = Path(__file__).parents[2]


def build(target: str, folder: Path) -> Path:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", folder], cwd=CHECKOUT, check=True
    )
    [built] = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    return zipfile.ZipFile(build("wheel", tmp_path_factory.mktemp("wheel")))


def test_the_wheel_contains_the_built_page(wheel: zipfile.ZipFile) -> None:
    page = [name for name in wheel.namelist() if name.startswith("tailrace/page/")]
    assert "tailrace/page/index.html" in page
    scripts = [name for name in page if name.endswith(".js")]
    assert scripts
    index = wheel.read("tailrace/page/index.html").decode()
    assert any(script.removeprefix("tailrace/page") in index for script in scripts)


def test_the_wheel_contains_the_program_and_nothing_beside_it(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    assert "tailrace/py.typed" in names
    assert "tailrace/__init__.py" in names
    beside = {name.split("/")[0] for name in names if not name.startswith("tailrace/")}
    assert all(name.endswith(".dist-info") for name in beside)
    assert [name for name in names if "/." in name or "node_modules" in name] == []


def test_an_agent_needs_no_package_of_the_server(wheel: zipfile.ZipFile) -> None:
    [metadata] = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    lines = message_from_bytes(wheel.read(metadata)).get_all("Requires-Dist") or []
    required = [Requirement(line) for line in lines]
    server = {one.name for one in required if one.marker and 'extra == "server"' in str(one.marker)}
    agent = {one.name for one in required if one.marker is None}
    assert {"fastapi", "sqlalchemy", "uvicorn"} <= server
    assert {"pydantic", "websockets"} <= agent
    assert agent.isdisjoint(server)


def test_the_sdist_contains_the_sources_of_the_page_and_nothing_built(tmp_path: Path) -> None:
    with tarfile.open(build("sdist", tmp_path)) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"web/package.json", "web/package-lock.json", "web/index.html", "tools/page.py"} <= names
    assert [name for name in names if name.startswith(("web/dist/", "web/node_modules/", ".venv/"))] == []


@pytest.mark.long
@pytest.mark.timeout(600)
def test_pip_alone_installs_the_page_from_the_sdist(tmp_path: Path) -> None:
    """Build isolation, npm of the build dependency, no Node of the machine: what `pip install .` does for a user."""
    sdist = build("sdist", tmp_path / "sdist")
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "sh").symlink_to("/bin/sh")
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--no-deps", sdist],
        env=os.environ | {"PATH": str(programs)},
        check=True,
    )
    where = "import tailrace, pathlib; print(pathlib.Path(tailrace.__file__).parent / 'page')"
    page = subprocess.run([python, "-c", where], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (Path(page.stdout.strip()) / "index.html").is_file()
