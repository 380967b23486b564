"""`tailrace labels …`: labels that only some projects may use."""

from __future__ import annotations

from urllib.parse import quote

from tailrace.cli.client import connect, show, tell
from tailrace.cli.flags import NO_CLIENT_FLAGS, ClientFlags
from tailrace.cli.projects import find_projects


def list_labels(*, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS) -> int:
    """List the protected labels with the ids of the projects that may use them."""
    found = connect(flags).get("/api/protected-labels")["items"]
    show(found, as_json=json, columns={"LABEL": "name", "PROJECTS": "projects", "BY": "by", "WHY": "why"})
    return 0


def protect_label(
    label: str,
    projects: str,
    *,
    why: str | None = None,
    json: bool = False,
    flags: ClientFlags = NO_CLIENT_FLAGS,
) -> int:
    """Let only some projects use a label, and no run from a fork; agents that have it take nothing else.

    Parameters
    ----------
    projects:
        Names or ids, separated by commas, in place of those that could before.
    why:
        What people are told who list the labels.
    """
    client = connect(flags)
    body: dict[str, object] = {"projects": find_projects(client, projects)}
    if why is not None:
        body["why"] = why
    tell(client.call("PUT", f"/api/protected-labels/{quote(label)}", body=body), as_json=json)
    return 0


def unprotect_label(label: str, *, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS) -> int:
    """Let any project use a label."""
    connect(flags).call("DELETE", f"/api/protected-labels/{quote(label)}")
    tell({"name": label}, as_json=json)
    return 0
