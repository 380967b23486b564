"""`tailrace project …`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tailrace.cli.client import CallFailed, Client, connect, is_id, show, tell
from tailrace.cli.credentials import credentials_wish, warn_of_login
from tailrace.cli.flags import NO_CLIENT_FLAGS, ClientFlags
from tailrace.cli.texts import say


def add_project(
    name: str,
    repository: str,
    *,
    webhook_secret: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    credentials: str | None = None,
    user: str | None = None,
    known_hosts: Path | None = None,
    json: bool = False,
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
    credentials:
        The name of a secret that opens the repository: a password or a token, or a private key of ssh.
    user:
        Who the password or the token belongs to; for a token of a forge it can hardly ever matter.
    known_hosts:
        A file with the keys of the machine that is asked by ssh, as ssh-keyscan prints them; `-` reads standard input. Without
        it the machine is believed the first time.
    """
    secret = sys.stdin.readline().strip() if webhook_secret == "-" else webhook_secret
    opened = credentials_wish(credentials, user, known_hosts)
    body = {"name": name, "repository": repository, "webhook_secret": secret, "credentials": opened}
    client = connect(flags)
    made = client.post("/api/projects", {k: v for k, v in body.items() if v is not None})
    warn_of_login(client, made)
    tell(made, as_json=json, plain=made["id"])
    return 0


def list_projects(*, removed: bool = False, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS) -> int:
    """List the projects.

    Parameters
    ----------
    removed:
        Those that were removed, which can be restored.
    """
    found = connect(flags).items("/api/projects", removed=removed)
    show(found, as_json=json, columns={"ID": "id", "NAME": "name", "REPOSITORY": "repository"})
    return 0


def remove_project(name: str, *, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS) -> int:
    """Remove a project, by name or id; its runs and logs stay."""
    client = connect(flags)
    id = find_project(client, name)["id"]
    client.call("DELETE", f"/api/projects/{id}")
    tell({"id": id}, as_json=json)
    return 0


def edit_project(
    project: str,
    *,
    name: str | None = None,
    repository: str | None = None,
    webhook_secret: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    credentials: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    user: str | None = None,
    known_hosts: Path | None = None,
    json: bool = False,
    flags: ClientFlags = NO_CLIENT_FLAGS,
) -> int:
    """Change a project, by name or id; what is not given stays.

    Parameters
    ----------
    name:
        Letters, digits, `_`, `.` and `-`.
    repository:
        What git clones: an address or an absolute path.
    webhook_secret:
        What webhooks are signed with; `-` reads it from standard input, an empty one takes it away.
    credentials:
        The name of a secret that opens the repository: a password or a token, or a private key of ssh; an empty one takes it away.
    user:
        Who the password or the token belongs to; for a token of a forge it can hardly ever matter.
    known_hosts:
        A file with the keys of the machine that is asked by ssh, as ssh-keyscan prints them; `-` reads standard input. Without
        it the machine is believed the first time.
    """
    client = connect(flags)
    secret = sys.stdin.readline().strip() if webhook_secret == "-" else webhook_secret
    body: dict[str, object] = {
        k: v for k, v in {"name": name, "repository": repository}.items() if v is not None
    }
    if secret is not None:
        body["webhook_secret"] = secret or None
    if credentials == "":
        body["credentials"] = credentials_wish(None, user, known_hosts)
    elif credentials is not None or user is not None or known_hosts is not None:
        body["credentials"] = credentials_wish(credentials, user, known_hosts)
    if not body:
        raise CallFailed("nothing to change: give --name, --repository, --webhook-secret or --credentials")
    was = find_project(client, project)
    changed = client.call("PATCH", f"/api/projects/{was['id']}", body=body)
    warn_of_login(client, changed)
    if body.get("credentials") is not None and repository is None:
        # Whoever may change an address that nothing opened yet could have changed it since one looked.
        say(
            f"tailrace: project {changed['name']}: secret {credentials} is shown to {changed['repository']} from now on",
            to=sys.stderr,
        )
    if changed["name"] != was["name"]:
        old, id = was["name"], was["id"]
        say(
            f"tailrace: webhooks sent to /hooks/…/{old} and badges of {old} find the project no more: give their senders"
            f" the new name, or its id, which stays (/hooks/…/{id})",
            to=sys.stderr,
        )
    tell(changed, as_json=json, plain=changed["id"])
    return 0


def restore_project(name: str, *, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS) -> int:
    """Bring a removed project back, by name or id, with its plans."""
    client = connect(flags)
    found = client.items("/api/projects", removed=True)
    fits = [one for one in found if str(one["id"]) == name] or [one for one in found if one["name"] == name]
    if len(fits) != 1:
        which = ", ".join(str(one["id"]) for one in fits)
        why = f"could be {which}: say which" if fits else "is none that was removed"
        raise CallFailed(f"{name!r} {why}: `tailrace project list --removed` shows them")
    restored = client.post(f"/api/projects/{fits[0]['id']}/restore")
    tell(restored, as_json=json, plain=restored["id"])
    return 0


def find_projects(client: Client, names: str) -> list[object]:
    """The ids of the projects whose names or ids stand between the commas; raises CallFailed."""
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    return [find_project(client, name)["id"] for name in wanted]


def find_project(client: Client, name: str) -> dict[str, object]:
    """The project of that name or id; raises CallFailed."""
    found = client.items("/api/projects", name=name)
    if found:
        return found[0]
    project = client.find(f"/api/projects/{name}") if is_id(name) else None
    if project is not None:
        return project
    raise CallFailed(f"there is no project {name!r}: `tailrace project list` shows them")
