"""`tailrace plan show|edit|versions|diff|remove|restore`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from tailrace.cli.client import CallFailed, Client, connect, show, tell
from tailrace.cli.flags import NO_CLIENT_FLAGS, ClientFlags
from tailrace.cli.plans import find_plan, read_definition
from tailrace.cli.texts import print_json, write_exactly


def show_plan(
    plan: str, *, version: int | None = None, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS
) -> int:
    """Print a plan's text: the one in force, or that of a version.

    Parameters
    ----------
    plan:
        PROJECT/PLAN, PLAN where only one has that name, or an id.
    version:
        Its number; `tailrace plan versions` lists them.
    """
    client = connect(flags)
    found = find_plan(client, plan)
    if version is not None:
        found = client.get(f"/api/plans/{found['id']}/versions/{version}")
    if json:
        print_json(found)
        return 0
    if found["definition"] is None:
        raise CallFailed(f"plan {plan!r} is in the repository at {found['path']}, and was not read yet")
    write_exactly(str(found["definition"]))
    return 0


def edit_plan(
    plan: str,
    file: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    *,
    name: str | None = None,
    json: bool = False,
    flags: ClientFlags = NO_CLIENT_FLAGS,
) -> int:
    """Give a plan that the server keeps a new text, as a new version; or rename a plan.

    Parameters
    ----------
    plan:
        PROJECT/PLAN, PLAN where only one has that name, or an id.
    file:
        The plan file whose text it gets; `-` reads standard input.
    name:
        Its new name.
    """
    body: dict[str, object] = {"name": name} if name is not None else {}
    if file is not None:
        body |= read_definition(file)
    if not body:
        raise CallFailed("nothing to change: give a FILE or --name")
    client = connect(flags)
    _tell(client.call("PUT", f"/api/plans/{find_plan(client, plan)['id']}", body=body), json=json)
    return 0


def list_versions(plan: str, *, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS) -> int:
    """List the versions of a plan, newest first: who wrote them, and when.

    Parameters
    ----------
    plan:
        PROJECT/PLAN, PLAN where only one has that name, or an id.
    """
    client = connect(flags)
    found = client.items(f"/api/plans/{find_plan(client, plan)['id']}/versions")
    columns = {
        "VERSION": "number",
        "IN FORCE": "in_force",
        "AUTHOR": "author",
        "SEEN AT": "ref",
        "FORK": "from_fork",
        "CREATED": "created_at",
    }
    show(found, as_json=json, columns=columns)
    return 0


def diff_plan(
    plan: str,
    before: int | None = None,
    after: int | None = None,
    /,
    *,
    json: bool = False,
    flags: ClientFlags = NO_CLIENT_FLAGS,
) -> int:
    """Print how two versions of a plan differ, as a unified diff; without numbers what changed with the one in force.

    Parameters
    ----------
    plan:
        PROJECT/PLAN, PLAN where only one has that name, or an id.
    before:
        The number of the earlier version.
    after:
        The number of the later one; the one in force if not given.
    """
    client = connect(flags)
    numbers = {k: v for k, v in {"from": before, "to": after}.items() if v is not None}
    found = client.get(f"/api/plans/{find_plan(client, plan)['id']}/diff", **numbers)
    if json:
        print_json(found)
    else:
        write_exactly(found["diff"])
    return 0


def remove_plan(plan: str, *, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS) -> int:
    """Remove a plan with its triggers; its runs stay, and it can be restored.

    Parameters
    ----------
    plan:
        PROJECT/PLAN, PLAN where only one has that name, or an id.
    """
    client = connect(flags)
    id = find_plan(client, plan)["id"]
    client.call("DELETE", f"/api/plans/{id}")
    tell({"id": id}, as_json=json)
    return 0


def restore_plan(
    plan: str, *, version: int | None = None, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS
) -> int:
    """Bring a removed plan back, or put the text of an earlier version in force again.

    Parameters
    ----------
    plan:
        PROJECT/PLAN, PLAN where only one has that name, or an id.
    version:
        The number of the version whose text becomes the newest.
    """
    client = connect(flags)
    if version is not None:
        where = f"/api/plans/{find_plan(client, plan)['id']}/versions/{version}/restore"
    else:
        where = f"/api/plans/{_find_removed(client, plan)}/restore"
    _tell(client.post(where), json=json)
    return 0


def _find_removed(client: Client, name: str) -> object:
    found = client.items("/api/plans", removed=True)
    fits = [one for one in found if str(one["id"]) == name]
    fits = fits or [one for one in found if name in (f"{one['project_name']}/{one['name']}", one["name"])]
    if len(fits) == 1:
        return fits[0]["id"]
    why = f"could be {', '.join(str(one['id']) for one in fits)}: say which" if fits else "was not removed"
    raise CallFailed(f"plan {name!r} {why}; `tailrace plan list --removed` shows those that were")


def _tell(plan: dict[str, object], *, json: bool) -> None:
    if json:
        print_json(plan)
    else:
        print(f"{plan['project_name']}/{plan['name']}: version {plan['version']}")
