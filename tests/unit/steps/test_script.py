from __future__ import annotations

from pathlib import Path

from tailrace.domain.plan import RunStep
from tailrace.steps.command import Command, Place
from tailrace.steps.script import run_script

PLACE = Place(Path("/a/workspace"), Path("/a/tmp"))
STEP = RunStep(name="build", run="make 語\n")


def test_a_script_is_a_file_for_bash() -> None:
    """It stops at the first failure, also within a pipe, and runs in the workspace."""
    assert run_script(STEP, 2, PLACE, {"A": "b"}, "/bin/bash") == Command(
        argv=("/bin/bash", "-eo", "pipefail", "/a/tmp/step-2.sh"),
        env={"A": "b"},
        cwd=Path("/a/workspace"),
        files=((Path("/a/tmp/step-2.sh"), "make 語\n".encode()),),
    )


def test_other_shells_know_no_pipefail() -> None:
    """Where there is no bash, -e alone."""
    assert run_script(STEP, 0, PLACE, {}, "/bin/sh").argv == ("/bin/sh", "-e", "/a/tmp/step-0.sh")
