"""`tailrace queue …`."""

from __future__ import annotations

from tailrace.cli.client import connect
from tailrace.cli.flags import NO_CLIENT_FLAGS, ClientFlags
from tailrace.cli.projects import find_project


def pause_queue(
    *, project: str | None = None, why: str | None = None, flags: ClientFlags = NO_CLIENT_FLAGS
) -> int:
    """Give agents no more work, of any project or of one; what they do goes on.

    Parameters
    ----------
    project:
        The project whose jobs wait, by name or id.
    why:
        What people are told who look at a waiting job.
    """
    return _change(flags, "pause", project, why)


def resume_queue(*, project: str | None = None, flags: ClientFlags = NO_CLIENT_FLAGS) -> int:
    """Give agents work again."""
    return _change(flags, "resume", project, None)


def _change(flags: ClientFlags, what: str, project: str | None, why: str | None) -> int:
    client = connect(flags)
    id = None if project is None else find_project(client, project)["id"]
    body = {"project": id, "why": why}
    client.post(f"/api/queue/{what}", {name: value for name, value in body.items() if value is not None})
    return 0
