"""The units under a real systemd, in a private root: an overlay on this machine's, which nothing is written to."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support.booted_units import WELL

HERE = Path(__file__).parents[2]
CGROUPS = Path("/sys/fs/cgroup")

# A file system of its own for /run too: systemd-nspawn clears a folder there, and refuses to on a disk.
BOOT = """
set -eu
mount -t tmpfs tmpfs "$FOLDER/layers"
mount -t tmpfs tmpfs /run
mkdir "$FOLDER/layers/upper" "$FOLDER/layers/work" "$FOLDER/layers/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$FOLDER/layers/upper,workdir=$FOLDER/layers/work" "$FOLDER/layers/root"
cp -r "$FOLDER/put/." "$FOLDER/layers/root/"
: > "$FOLDER/layers/root/etc/machine-id"
exec systemd-nspawn -D "$FOLDER/layers/root" --register=no --keep-unit --private-network --console=pipe \\
    --machine=tailrace-test --bind="$FOLDER/said:/said" -b systemd.unit=test.target systemd.log_target=null
"""
TARGET = "[Unit]\nRequires=basic.target\nAfter=basic.target\nWants=test.service\n"
TEST = f"""
[Unit]
Wants=tailrace-server.service
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=exec
Environment=PYTHONPATH=/opt/code
ExecStart={sys.executable} /opt/code/booted_units.py
StandardOutput=append:/said/words
StandardError=append:/said/words
RuntimeMaxSec=300
"""


def _missing() -> str | None:
    if os.geteuid() != 0:
        return "only root boots a systemd"
    if shutil.which("systemd-nspawn") is None:
        return "this machine has no systemd-nspawn (Debian: systemd-container)"
    if len({Path(path).stat().st_dev for path in ("/", HERE, sys.prefix, sys.base_prefix)}) > 1:
        return "the code or its Python lies on another file system than /"
    return None


@pytest.fixture
def groups() -> Generator[list[Path]]:
    """Control groups for systemd to live in: in this process's own it would take over the machine's."""
    if why := _missing():
        pytest.skip(why)
    hierarchies = [CGROUPS / "systemd", CGROUPS / "unified", CGROUPS]
    roots = [path for path in hierarchies if (path / "cgroup.procs").exists()]
    groups = [root / f"tailrace-test-{os.getpid()}" for root in roots]
    for group in groups:
        group.mkdir()
    yield groups
    for group in groups:
        for path, _, _ in os.walk(group, topdown=False):
            Path(path).rmdir()


@pytest.mark.long
@pytest.mark.timeout(400)
def test_jobs_go_on_under_systemd_whatever_is_restarted_killed_or_upgraded(
    tmp_path: Path, groups: list[Path]
) -> None:
    """A new version, kill -9 of each unit's process; and a unit of jobs that is stopped lets them record their end."""
    units = tmp_path / "put" / "etc" / "systemd" / "system"
    for folder in (units, tmp_path / "said", tmp_path / "layers", tmp_path / "put" / "opt" / "code"):
        folder.mkdir(parents=True)
    shutil.copytree(HERE / "src" / "tailrace", tmp_path / "put" / "opt" / "code" / "tailrace")
    shutil.copy(HERE / "tests" / "support" / "booted_units.py", tmp_path / "put" / "opt" / "code")
    (units / "test.target").write_text(TARGET)
    (units / "test.service").write_text(TEST)
    for unit in (HERE / "deploy").glob("*.service"):
        text = re.sub(r"^User=.*$", "Environment=PYTHONPATH=/opt/code", unit.read_text(), flags=re.MULTILINE)
        text = text.replace("/opt/tailrace/bin/tailrace", f"{sys.executable} -m tailrace")
        text = text.replace("/opt/tailrace/bin/python", sys.executable).replace("ProtectHome=true\n", "")
        (units / unit.name).write_text(text)

    def enter() -> None:
        for group in groups:
            (group / "cgroup.procs").write_text("0")

    booted = subprocess.run(
        ("unshare", "--mount", "--propagation", "private", "sh", "-c", BOOT),
        env={**os.environ, "FOLDER": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=enter,
    )
    words = tmp_path / "said" / "words"
    said = words.read_text().splitlines() if words.exists() else []
    assert said[-1:] == [WELL], "\n".join([*said, booted.stdout[-2000:], booted.stderr[-2000:]])
