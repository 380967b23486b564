"""What executes a script, and where: `shell` and `working_directory`."""

from __future__ import annotations

import shlex
from pathlib import PurePosixPath

from tailrace.domain.plan.errors import Problems, shown
from tailrace.domain.plan.nodes import Entry
from tailrace.domain.plan.values import read_text

MAX_SHELL = 1000


def read_shell(entry: Entry | None, subject: str, problems: Problems) -> str | None:
    """Read a shell: `bash`, `sh`, `python`, or a command line."""
    if entry is None:
        return None
    what = f'"shell" of {subject}'
    text = read_text(entry.value, what, problems)
    if text is None:
        return None
    allowed = "allowed: bash, sh, python, or a command line, in which {0} stands for the script's file"
    try:
        words = shlex.split(text)
    except ValueError:
        words = []
    if not words or len(text) > MAX_SHELL or not text.isprintable():
        problems.add(entry.value.place, f"{what} cannot be a shell: {shown(text)}; {allowed}")
        return None
    return text


def read_working_directory(entry: Entry | None, subject: str, problems: Problems) -> str | None:
    """Read a folder within the workspace."""
    if entry is None:
        return None
    what = f'"working_directory" of {subject}'
    text = read_text(entry.value, what, problems)
    if text is None:
        return None
    path = PurePosixPath(text)
    if not text or path.is_absolute() or ".." in path.parts or not text.isprintable():
        problems.add(
            entry.value.place,
            f"{what} must be a folder within the workspace, without '..' or a '/' at its beginning; found {shown(text)}",
        )
        return None
    return str(path)
