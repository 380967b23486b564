"""The units for systemd are understood by it, and say nothing that Tailrace does not know."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tailrace.settings import AgentSettings, ServerSettings

DEPLOY = Path(__file__).parents[2] / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))


def test_there_is_a_unit_for_each_process_that_lives_by_itself() -> None:
    names = ["tailrace-agent.service", "tailrace-server.service", "tailrace-warm.service"]
    assert [unit.name for unit in UNITS] == names


def test_systemd_understands_the_units(tmp_path: Path) -> None:
    """Not a word about them, with programs that this machine has."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("this machine has no systemd-analyze")
    for unit in UNITS:
        text = re.sub(r"/opt/tailrace/bin/\w+", sys.executable, unit.read_text())
        (tmp_path / unit.name).write_text(text)
    copies = [str(tmp_path / unit.name) for unit in UNITS]
    said = subprocess.run(("systemd-analyze", "verify", *copies), capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout + said.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_units_set_what_is_a_setting(unit: Path) -> None:
    names = {
        f"TAILRACE_{name.upper()}" for name in (*ServerSettings.model_fields, *AgentSettings.model_fields)
    }
    assert set(re.findall(r"^Environment=(\w+)=", unit.read_text(), re.MULTILINE)) <= names


def test_agent_and_warm_parent_are_of_one_user_and_one_folder() -> None:
    agent, warm = ((DEPLOY / f"tailrace-{name}.service").read_text() for name in ("agent", "warm"))
    user = re.search(r"^User=(.*)$", agent, re.MULTILINE)
    folder = re.search(r"^Environment=TAILRACE_DATA_DIR=(.*)$", agent, re.MULTILINE)
    assert user is not None
    assert folder is not None
    assert f"User={user[1]}\n" in warm
    assert f"{folder[1]}/agent --service\n" in warm
