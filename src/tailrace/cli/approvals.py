"""`tailrace approvals …`."""

from __future__ import annotations

from tailrace.cli.client import connect, show, tell
from tailrace.cli.flags import NO_CLIENT_FLAGS, ClientFlags, Limit

COLUMNS = {
    "ID": "id",
    "STATE": "state",
    "PROJECT": "project_name",
    "RUN": "run",
    "JOB": "job_name",
    "ENVIRONMENT": "environment",
    "BRANCH": "branch",
    "TITLE": "title",
    "AUTHOR": "author",
    "BY": "by",
}


def list_approvals(
    *, state: str = "open", limit: Limit = 50, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS
) -> int:
    """List what waits for a person: jobs of an environment, and whole runs whose commit is from a fork.

    Parameters
    ----------
    state:
        open, approved, rejected, withdrawn, or all.
    """
    wanted = None if state == "all" else state
    found = connect(flags).items("/api/approvals", limit, state=wanted)
    show(found, as_json=json, columns=COLUMNS)
    return 0


def approve(
    approval: int, *, why: str | None = None, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS
) -> int:
    """Let go on what waits for this approval.

    Parameters
    ----------
    approval:
        Its id, which `tailrace approvals` and the run show.
    why:
        What others may read of it.
    """
    return _decide(flags, json, approval, approve=True, why=why)


def reject(
    approval: int, *, why: str | None = None, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS
) -> int:
    """End what waits for this approval: the job, or the whole run.

    Parameters
    ----------
    approval:
        Its id, which `tailrace approvals` and the run show.
    why:
        What others may read of it.
    """
    return _decide(flags, json, approval, approve=False, why=why)


def _decide(flags: ClientFlags, as_json: bool, approval: int, **decision: object) -> int:
    tell(connect(flags).post(f"/api/approvals/{approval}", decision), as_json=as_json)
    return 0
