from __future__ import annotations

from pathlib import Path

import pytest

from tailrace.domain.plan import RunStep
from tailrace.steps.command import Command, Place
from tailrace.steps.script import run_script

PLACE = Place(Path("/a/workspace"), Path("/a/tmp"))
STEP = RunStep(name="build", run="make 語\n")


def test_a_script_is_a_file_for_bash() -> None:
    """It stops at the first failure, also within a pipe, and runs in the workspace; its outputs have a file."""
    assert run_script(STEP, 2, PLACE, {"A": "b"}, "/bin/bash") == Command(
        argv=("/bin/bash", "--noprofile", "--norc", "-eo", "pipefail", "/a/tmp/step-2.sh"),
        env={"A": "b", "TAILRACE_OUTPUT": "/a/tmp/output-2"},
        cwd=Path("/a/workspace"),
        files=((Path("/a/tmp/step-2.sh"), "make 語\n".encode()), (Path("/a/tmp/output-2"), b"")),
    )


@pytest.mark.parametrize(
    ("shell", "argv"),
    [
        ("/bin/sh", ("/bin/sh", "-e", "/a/tmp/step-0.sh")),
        ("bash", ("bash", "--noprofile", "--norc", "-eo", "pipefail", "/a/tmp/step-0.sh")),
        ("sh", ("sh", "-e", "/a/tmp/step-0.sh")),
        ("python", ("python3", "-u", "/a/tmp/step-0.py")),
        ("bash -x", ("bash", "-x", "/a/tmp/step-0.sh")),
        ("perl", ("perl", "/a/tmp/step-0")),
        ("pwsh -File {0} -Verbose", ("pwsh", "-File", "/a/tmp/step-0.ps1", "-Verbose")),
        ("env 'A=x y' python3.12 --in={0}", ("env", "A=x y", "python3.12", "--in=/a/tmp/step-0")),
    ],
)
def test_what_a_shell_is_given(shell: str, argv: tuple[str, ...]) -> None:
    """Known names stand for their strict options; any other command line gets the script's file in place of {0}, or last."""
    assert run_script(STEP, 0, PLACE, {}, shell).argv == argv


def test_a_terminal_has_a_type_that_the_plan_may_replace() -> None:
    """Without one, a program with a terminal could not use it."""
    step = STEP.model_copy(update={"pty": True})
    assert run_script(step, 0, PLACE, {}, "sh").terminal
    assert run_script(step, 0, PLACE, {}, "sh").env["TERM"] == "xterm-256color"
    assert run_script(step, 0, PLACE, {"TERM": "dumb"}, "sh").env["TERM"] == "dumb"
    assert "TERM" not in run_script(STEP, 0, PLACE, {}, "sh").env
