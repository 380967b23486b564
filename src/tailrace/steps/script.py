"""A `run` step: a script handed to a shell."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path, PurePath

from tailrace.domain.plan import RunStep
from tailrace.steps.command import Command, Place
from tailrace.steps.environment import OUTPUT

_SHELLS = {
    "bash": "bash --noprofile --norc -eo pipefail {0}",
    "sh": "sh -e {0}",
    "python": "python3 -u {0}",  # unbuffered: what it prints is seen when it prints it
}
_ENDINGS = {
    "bash": ".sh",
    "sh": ".sh",
    "python": ".py",
    "python3": ".py",
    "pwsh": ".ps1",
    "powershell": ".ps1",
}
_TERMINAL = {"TERM": "xterm-256color"}


def run_script(
    step: RunStep, index: int, place: Place, env: Mapping[str, str], shell: str, folder: Path | None = None
) -> Command:
    """The step's script, handed to `shell`: a name that we know, a command line, or the path of a bash or sh.

    The ones that we know stop at the first command that fails. The script is a file and not an argument: Linux refuses single
    arguments above 128 KiB. `folder` is where it works, the workspace without one.
    """
    words = shlex.split(_SHELLS.get(shell, shell))
    program = PurePath(words[0]).name
    if len(words) == 1 and program in ("bash", "sh"):
        words = [words[0], *shlex.split(_SHELLS[program])[1:]]
    script = place.tmp / f"step-{index}{_ENDINGS.get(program, '')}"
    if not any("{0}" in word for word in words):
        words.append("{0}")
    output = output_file(index, place)
    return Command(
        argv=tuple(word.replace("{0}", str(script)) for word in words),
        env={**(_TERMINAL if step.pty else {}), **env, OUTPUT: str(output)},
        cwd=folder or place.workspace,
        files=((script, step.run.encode("utf-8", "surrogateescape")), (output, b"")),
        terminal=step.pty,
    )


def output_file(index: int, place: Place) -> Path:
    """Where a step writes its outputs."""
    return place.tmp / f"output-{index}"
