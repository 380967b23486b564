"""Running git: its own process group, no prompts, nobody's configuration but ours."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tailrace.domain.address import PROTOCOLS
from tailrace.process import Answer, ProgramMissing, run_program

# What the server's environment may say about git; everything else that begins with GIT_ (GIT_DIR in a hook…) would
# point our commands at other repositories.
_KEPT = {"GIT_SSH_COMMAND", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_EXEC_PATH"}

STILL_S = 60
"""After so many seconds without a byte a transfer over http or ssh is given up."""


@dataclass(frozen=True)
class GitAnswer(Answer):
    """What git wrote, and how it ended."""

    @property
    def why(self) -> str:
        """The line of git's complaint that tells most."""
        return _telling(self.complaint) or f"git ended with status {self.status} and said nothing"


async def run_git(
    *arguments: str,
    folder: Path,
    config: Path,
    seconds: float,
    more: Mapping[str, str] | None = None,
    held: Sequence[bytes] = (),
) -> GitAnswer:
    """Run git in a folder, with `config` as its only configuration besides the repository's own.

    `more` is its environment's, `held` what it finds in memory.

    Raises TimeoutError, and ProgramMissing when there is no git.
    """
    try:
        answer = await run_program(
            "git",
            *arguments,
            folder=folder,
            env=_environment(folder, config) | dict(more or {}),
            seconds=seconds,
            held=held,
        )
    except ProgramMissing as missing:
        raise ProgramMissing(f"{missing}: install git 2.32 or newer") from missing
    return GitAnswer(answer.status, answer.output, answer.complaint)


def write_config(path: Path, repository: str) -> None:
    """Write what git is to know about a repository's origin, for our eyes only."""
    quoted = repository.replace("\\", "\\\\").replace('"', '\\"')
    text = (
        f'[remote "origin"]\n\turl = "{quoted}"\n'
        # The mirror is ours whoever owns the volume; a local repository was named by whoever made the project.
        "[safe]\n\tdirectory = *\n"
        # In the background it would outlive us, and run while the mirror is being replaced.
        "[gc]\n\tautoDetach = false\n"
        "[credential]\n\tinteractive = false\n"
        # A transfer that stands still: less than this many bytes a second, for so many seconds.
        f"[http]\n\tlowSpeedLimit = 100\n\tlowSpeedTime = {STILL_S}\n"
    )
    with contextlib.suppress(FileNotFoundError):
        if path.read_text() == text:
            return
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)


def _environment(folder: Path, config: Path) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT or not name.startswith(("GIT_", "SSH_ASKPASS"))
    }
    return {
        # A shared connection would outlive the fetch and hold its output open.
        "GIT_SSH_COMMAND": (
            "ssh -oBatchMode=yes -oControlMaster=no -oConnectTimeout=15"
            f" -oServerAliveInterval=15 -oServerAliveCountMax={STILL_S // 15}"
        ),
        **kept,
        "GIT_ALLOW_PROTOCOL": ":".join(PROTOCOLS),
        "GIT_CEILING_DIRECTORIES": str(folder.parent),
        "GIT_CONFIG_GLOBAL": str(config),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }


def _telling(complaint: str) -> str:
    lines = [line.strip() for line in complaint.splitlines() if line.strip()]
    fatal = [i for i, line in enumerate(lines) if line.startswith(("fatal: ", "error: "))]
    if not fatal:
        return lines[-1] if lines else ""
    last = fatal[-1]
    # What went wrong on the other side or in ssh stands before git's general lament.
    if lines[last].startswith("fatal: Could not read from remote repository") and last > 0:
        last -= 1
    return lines[last].removeprefix("fatal: ").removeprefix("error: ")
