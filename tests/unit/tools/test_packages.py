"""`tools/packages.sh` installs what is missing where it may, names it elsewhere, and is silent when nothing is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[3]


class Machine:
    """A PATH with what the script itself needs, to which programs are added as scripts."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.calls = folder / "apt-get.calls"
        for name in ("head", "tail", "ls", "mktemp", "rm"):
            program = shutil.which(name)
            assert program
            (self.bin / name).symlink_to(program)
        # Not what these tests are about: there already.
        for name in ("git", "svn", "svnserve", "make", "initdb", "chromium", "systemd-nspawn"):
            self.has(name)
        self.has("fc-list", "echo a font")
        self.has("python3", f'exec {sys.executable} "$@"')
        # Nothing is installed on the real machine, whoever runs the tests.
        self.is_user(1000)

    def has(self, name: str, script: str = "exit 0") -> None:
        (self.bin / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.bin / name).chmod(0o755)

    def lacks(self, name: str) -> None:
        (self.bin / name).unlink()

    def is_user(self, uid: int) -> None:
        self.has("id", f"echo {uid}")

    def has_apt_get(self, ending: str = "exit 0") -> None:
        self.is_user(0)
        self.has("apt-get", f'echo "$@" >> {self.calls}; {ending}')

    def run(self, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [CHECKOUT / "tools" / "packages.sh"],
            env={"PATH": str(self.bin)} | environment,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_nothing_missing_is_nothing_done(machine: Machine) -> None:
    machine.has_apt_get()
    done = machine.run()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not machine.calls.exists()


def test_what_is_missing_is_installed_by_root_after_an_update(machine: Machine) -> None:
    machine.has_apt_get()
    machine.lacks("git")
    machine.lacks("chromium")
    assert machine.run().returncode == 0
    update, install = machine.calls.read_text().splitlines()
    assert update.endswith("update")
    assert install.endswith(" git chromium")


def test_what_cannot_be_installed_is_named_with_what_needs_it(machine: Machine) -> None:
    machine.lacks("chromium")
    done = machine.run()
    assert done.returncode == 0
    assert "chromium: the tests of the page in a real browser" in done.stderr
    assert "git" not in done.stderr
    assert "are skipped" in done.stderr


def test_a_failed_installation_shows_what_apt_said(machine: Machine) -> None:
    machine.has_apt_get("echo no route to mirror; exit 100")
    machine.lacks("git")
    done = machine.run()
    assert "no route to mirror" in done.stderr
    assert "could not install git" in done.stderr


@pytest.mark.parametrize("root", [False, True])
def test_what_was_promised_and_is_missing_is_an_error(machine: Machine, root: bool) -> None:
    if root:
        machine.has_apt_get("exit 100")
    machine.lacks("git")
    assert machine.run(TAILRACE_REQUIRE_SERVICES="1").returncode == 1
