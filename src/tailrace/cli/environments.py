"""`tailrace environment …`."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from tailrace.cli.client import CallFailed, Client, connect, show, tell
from tailrace.cli.flags import NO_CLIENT_FLAGS, ClientFlags
from tailrace.cli.projects import find_project


def set_environment(
    project: str,
    name: str,
    *,
    approval: bool = True,
    approvers: Annotated[tuple[str, ...], Parameter(name=["--approver"], negative="")] = (),
    branches: Annotated[tuple[str, ...], Parameter(name=["--branch"], negative="")] = (),
    json: bool = False,
    flags: ClientFlags = NO_CLIENT_FLAGS,
) -> int:
    """Say what jobs with `environment: NAME` have to wait for, in place of what was said before, and print its id.

    Parameters
    ----------
    project:
        Its name or id.
    approval:
        Whether each of its jobs waits for a person.
    approvers:
        Who may decide; may be given more than once. Anybody if not given. This version knows one name, admin.
    branches:
        A pattern of branches that may use it (or refs/tags/PATTERN); may be given more than once. All if not given.
    """
    client = connect(flags)
    terms: dict[str, object] = {
        "approval": approval,
        "approvers": list(approvers) or None,
        "branches": list(branches) or None,
    }
    id = find_project(client, project)["id"]
    before = [one for one in _environments(client, id) if one["name"] == name]
    if before:
        made = client.call("PUT", f"/api/environments/{before[0]['id']}", body=terms)
    else:
        made = client.post("/api/environments", {"project": id, "name": name, **terms})
    tell(made, as_json=json, plain=made["id"])
    return 0


def list_environments(*, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS) -> int:
    """List the environments that were set up."""
    found = _environments(connect(flags), None)
    columns = {
        "ID": "id",
        "PROJECT": "project_name",
        "NAME": "name",
        "APPROVAL": "approval",
        "APPROVERS": "approvers",
        "BRANCHES": "branches",
        "BY": "by",
    }
    show(found, as_json=json, columns=columns)
    return 0


def remove_environment(
    project: str, name: str, *, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS
) -> int:
    """Have jobs with `environment: NAME` wait for nobody any more; who waits already, waits."""
    client = connect(flags)
    id = find_project(client, project)["id"]
    for one in _environments(client, id):
        if one["name"] == name:
            client.call("DELETE", f"/api/environments/{one['id']}")
            tell({"id": one["id"]}, as_json=json)
            return 0
    raise CallFailed(f"project {project} has no environment {name!r}: `tailrace environment list` shows them")


def _environments(client: Client, project: object) -> list[dict[str, Any]]:
    return client.items("/api/environments", project=project)
