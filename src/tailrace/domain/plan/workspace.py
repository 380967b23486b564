"""The key `workspace` of a plan or a job: whether a job finds the files that its last attempt left."""

from __future__ import annotations

from tailrace.domain.plan.errors import Problems
from tailrace.domain.plan.model import WorkspaceMode
from tailrace.domain.plan.nodes import Entry, Scalar, describe

_MODES: dict[str, WorkspaceMode] = {"clean": "clean", "keep": "keep"}


def read_workspace(
    entry: Entry | None, subject: str, default: WorkspaceMode, problems: Problems
) -> WorkspaceMode:
    """Read `clean` or `keep`; `subject` is the plan or the job in words."""
    if entry is None:
        return default
    mode = _MODES.get(entry.value.text) if isinstance(entry.value, Scalar) else None
    if mode is None:
        problems.add(
            entry.value.place,
            f'"workspace" of {subject} must be clean (each attempt begins with an empty one) or keep '
            f"(it finds what the last one left); found {describe(entry.value)}",
        )
    return mode or default
