"""What waits for a person: jobs of an environment, and runs whose commit is a stranger's."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from fnmatch import fnmatchcase

from tailrace.domain.model import Model, Time


class ApprovalState(StrEnum):
    OPEN = "open"  # nobody has decided
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"  # its run ended, or its job was aborted, before anybody had decided


class ApprovalView(Model):
    """A decision that a job waits for (`job`, `environment`), or a whole run whose commit is from a fork (both null).

    `approvers` are the only ones who may decide; null: anybody. `by`, `why` and `at` are the decision's.
    """

    id: int
    state: ApprovalState
    project: int
    project_name: str
    plan_name: str
    run: int
    run_number: int
    job: int | None
    job_name: str | None
    environment: str | None
    approvers: tuple[str, ...] | None
    branch: str | None
    revision: str | None
    title: str | None
    author: str | None
    from_fork: bool
    asked_at: Time
    by: str | None
    why: str | None
    at: Time | None


class EnvironmentView(Model):
    """Where jobs deploy to. With `approval` each of them waits for a person, of `approvers` where these are named (null: anybody).

    `branches` are patterns of the branches whose runs may use it (null: all); `refs/tags/…` is one of tags.
    """

    id: int
    project: int
    project_name: str
    name: str
    approval: bool
    approvers: tuple[str, ...] | None
    branches: tuple[str, ...] | None
    by: str
    updated_at: Time


def refusal(
    name: str, branches: Sequence[str] | None, *, ref: str | None, branch: str | None, from_fork: bool
) -> str | None:
    """Why a run may not use the environment at all, or None.

    A run from a fork never may: its branch has whatever name a stranger gave it.
    """
    if from_fork:
        return f"environment {name} takes no run from a fork"
    if branches is None:
        return None
    known = ref if ref is not None and ref.startswith("refs/tags/") else branch
    if known and any(fnmatchcase(known, pattern.replace("[", "[[]")) for pattern in branches):
        return None
    found = f"is of {known}" if known else "has no branch"
    return f"environment {name} takes only {', '.join(branches)}; this run {found}"
