"""A `run` step: a script handed to a shell."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

from tailrace.domain.plan import RunStep
from tailrace.steps.command import Command, Place


def run_script(step: RunStep, index: int, place: Place, env: Mapping[str, str], shell: str) -> Command:
    """The step's script, stopped at the first command that fails.

    The script is a file and not an argument: Linux refuses single arguments above 128 KiB.
    """
    script = place.tmp / f"step-{index}.sh"
    options = ("-eo", "pipefail") if PurePath(shell).name == "bash" else ("-e",)
    return Command(
        argv=(shell, *options, str(script)),
        env=env,
        cwd=place.workspace,
        files=((script, step.run.encode("utf-8", "surrogateescape")),),
    )
