"""`tailrace project hook`: how a project's generic webhooks are read."""

from __future__ import annotations

import json as json_texts
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tailrace.cli.client import CallFailed, connect, tell
from tailrace.cli.flags import NO_CLIENT_FLAGS, ClientFlags
from tailrace.cli.projects import find_project
from tailrace.cli.texts import print_json


def project_hook(
    project: str,
    file: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    *,
    test: Annotated[str | None, Parameter(name="--try", allow_leading_hyphen=True)] = None,
    remove: bool = False,
    json: bool = False,
    flags: ClientFlags = NO_CLIENT_FLAGS,
) -> int:
    """Show, set or try how a project's generic webhooks are read, as JSON.

    Parameters
    ----------
    project:
        Its name or id.
    file:
        What is to be kept: JSON with `proof`, `key`, `picks`, `values`, `only`; `-` reads standard input. Without it
        what is kept is shown.
    test:
        A file with a body as its sender posts it: what would be made of it (with FILE: by that one, and nothing is kept).
    remove:
        Forget what is kept: generic webhooks are read by the usual names again.
    json:
        Print an object also when nothing is left to show; all else is JSON anyway.
    """
    client = connect(flags)
    id = find_project(client, project)["id"]
    path = f"/api/projects/{id}/hook"
    wish = None if file is None else _json(file)
    if test is not None:
        answer = client.post(f"{path}/try", {"body": _read(test), "hook": wish})
    elif remove:
        client.call("DELETE", path)
        tell({"id": id}, as_json=json)
        return 0
    else:
        answer = client.get(path) if wish is None else client.call("PUT", path, body=wish)
    print_json(answer)
    return 0


def _json(file: str) -> dict[str, object]:
    try:
        found: object = json_texts.loads(_read(file))
    except ValueError as error:
        raise CallFailed(f"{file} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise CallFailed(f"{file}: expected a JSON object with proof, key, picks, values or only")
    return found  # pyright: ignore[reportUnknownVariableType] -- the server looks at what is in it


def _read(file: str) -> str:
    if file == "-":
        return sys.stdin.read()
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise CallFailed(f"{file} cannot be read: {error}") from None
