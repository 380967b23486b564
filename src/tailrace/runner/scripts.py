"""What a `run` step has to do with the disk: where it works, and what it gives to other steps."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from tailrace.domain.errors import Invalid
from tailrace.domain.outcome import Reason
from tailrace.runner.failure import failed
from tailrace.steps.command import Place
from tailrace.steps.outputs import MAX_JOB_BYTES, parse_outputs
from tailrace.steps.script import output_file


def folder_within(workspace: Path, folder: str, name: str) -> Path:
    """The folder, links followed; raises StepFailed when it is not there or not within the workspace."""
    found = (workspace / folder).resolve()
    if not found.is_relative_to(workspace.resolve()):
        raise failed(
            Reason.SETUP_FAILED,
            f"step '{name}' cannot work in {folder!r}: it leads out of the workspace, to {found}",
        )
    if not found.is_dir():
        raise failed(
            Reason.SETUP_FAILED, f"step '{name}' cannot work in {folder!r}: the workspace has no such folder"
        )
    return found if folder else workspace


def read_outputs(index: int, place: Place) -> dict[str, str]:
    """What a step wrote for others; raises Invalid when it cannot be read."""
    path = output_file(index, place)
    try:
        # The step may have put anything there: no link is followed, and a pipe without a writer is not waited for.
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise Invalid(f"its file cannot be opened: {error.strerror}") from error
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise Invalid("its file is not an ordinary file any more")
        data = file.read(MAX_JOB_BYTES + 1)
    if len(data) > MAX_JOB_BYTES:
        raise Invalid(f"its file is larger than the {MAX_JOB_BYTES // 1024} KiB that outputs may be together")
    return parse_outputs(data)
