"""`tailrace secret …`."""

from __future__ import annotations

import getpass
import sys

from tailrace.cli.client import CallFailed, Client, connect, show, tell
from tailrace.cli.flags import NO_CLIENT_FLAGS, ClientFlags
from tailrace.cli.projects import find_project
from tailrace.cli.texts import print_json


def set_secret(
    name: str, *, project: str | None = None, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS
) -> int:
    """Set a secret: its value is asked for, or read from standard input.

    What is read may have many lines; the last line's end does not belong to it. Says what of it cannot be masked.

    Parameters
    ----------
    name:
        The name by which jobs ask for it, and of the variable in which they get it.
    project:
        The project whose jobs may have it, by name or id; all projects if not given.
    json:
        Print the secret, without its value, as JSON.
    """
    value = _value(name)
    client = connect(flags)
    body = {"name": name, "value": value, "project": find_project(client, project)["id"] if project else None}
    kept = client.post("/api/secrets", body)
    for warning in kept["warnings"]:
        print(f"tailrace: secret {name}: {warning}", file=sys.stderr)
    if json:
        print_json(kept)
    return 0


def list_secrets(
    *, project: str | None = None, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS
) -> int:
    """List the secrets, without their values.

    Parameters
    ----------
    project:
        Only those that jobs of this project can have: its own, and those for all projects.
    """
    client = connect(flags)
    found = _found(client, find_project(client, project)["id"] if project else None)
    columns = {
        "ID": "id",
        "NAME": "name",
        "PROJECT": "project_name",
        "BY": "author",
        "CHANGED": "updated_at",
        "WARNINGS": "warnings",
    }
    shown = found if json else [{**one, "project_name": one["project_name"] or "(all)"} for one in found]
    show(shown, as_json=json, columns=columns)
    return 0


def remove_secret(
    name: str, *, project: str | None = None, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS
) -> int:
    """Remove a secret for good: jobs that want it end as setup_failed from now on.

    Parameters
    ----------
    project:
        The project whose secret it is; the one for all projects if not given.
    """
    client = connect(flags)
    owner = find_project(client, project)["id"] if project else None
    for secret in _found(client, owner):
        if secret["name"] == name and secret["project"] == owner:
            client.call("DELETE", f"/api/secrets/{secret['id']}")
            tell({"id": secret["id"]}, as_json=json)
            return 0
    whose = f"project {project!r}" if project else "all projects"
    raise CallFailed(f"there is no secret {name!r} of {whose}: `tailrace secret list` shows them")


def _found(client: Client, project: object) -> list[dict[str, object]]:
    return client.items("/api/secrets", project=project)


def _value(name: str) -> str:
    """From a prompt that echoes nothing, or from standard input; never from the arguments, which others can list."""
    if sys.stdin.isatty():
        try:
            return getpass.getpass(f"Value of {name}: ")
        except EOFError:
            raise CallFailed("no value was given: nothing was changed") from None
    try:
        value = sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        raise CallFailed("the secret's value is not UTF-8: encode it, for instance with base64") from None
    return value.removesuffix("\n").removesuffix("\r")
