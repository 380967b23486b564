"""What an agent says of its machine is what the machine says of itself."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tailrace.agent.machine import describe, load


def test_tools_are_named_with_their_versions(tmp_path: Path) -> None:
    """As they say themselves; only tools that are labels."""
    said = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True).stdout
    machine = describe(tmp_path)
    assert machine.tools["git"] in said
    assert machine.processors == os.cpu_count()
    assert machine.memory > 0


def test_a_tool_that_does_not_answer_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is on the PATH, and broken."""
    tool = tmp_path / "svn"
    tool.write_text("#!/bin/sh\nexit 3\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert describe(tmp_path).tools["svn"] == "does not answer"


def test_the_load_is_of_the_disk_that_counts(tmp_path: Path) -> None:
    """Free bytes, not more than there are."""
    busy, machine = load(tmp_path), describe(tmp_path)
    assert 0 < busy.disk_free <= machine.disk
    assert 0 < busy.memory_free <= machine.memory
