"""`tailrace project …`."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter

from tailrace.cli.client import CallFailed, Client, connect, show
from tailrace.cli.flags import NO_CLIENT_FLAGS, ClientFlags


def add_project(
    name: str,
    repository: str,
    *,
    webhook_secret: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    flags: ClientFlags = NO_CLIENT_FLAGS,
) -> int:
    """Add a project.

    Parameters
    ----------
    name:
        Letters, digits, `_`, `.` and `-`.
    repository:
        What git clones: an address or an absolute path.
    webhook_secret:
        What webhooks are signed with; `-` reads it from standard input.
    """
    secret = sys.stdin.readline().strip() if webhook_secret == "-" else webhook_secret
    body = {"name": name, "repository": repository, "webhook_secret": secret}
    made = connect(flags).post("/api/projects", {k: v for k, v in body.items() if v is not None})
    print(made["id"])
    return 0


def list_projects(*, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS) -> int:
    """List the projects."""
    found = connect(flags).get("/api/projects", limit=500)["items"]
    show(found, as_json=json, columns={"ID": "id", "NAME": "name", "REPOSITORY": "repository"})
    return 0


def remove_project(name: str, *, flags: ClientFlags = NO_CLIENT_FLAGS) -> int:
    """Remove a project, by name or id; its runs and logs stay."""
    client = connect(flags)
    client.call("DELETE", f"/api/projects/{find_project(client, name)['id']}")
    return 0


def find_projects(client: Client, names: str) -> list[object]:
    """The ids of the projects whose names or ids stand between the commas; raises CallFailed."""
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    return [find_project(client, name)["id"] for name in wanted]


def find_project(client: Client, name: str) -> dict[str, object]:
    """The project of that name or id; raises CallFailed."""
    for project in client.get("/api/projects", limit=500)["items"]:
        if name in (project["name"], str(project["id"])):
            return project
    raise CallFailed(f"there is no project {name!r}: `tailrace project list` shows them")
