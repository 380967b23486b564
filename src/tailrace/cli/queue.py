"""`tailrace queue …`."""

from __future__ import annotations

from tailrace.cli.client import Client, connect, show, tell
from tailrace.cli.flags import NO_CLIENT_FLAGS, ClientFlags
from tailrace.cli.projects import find_project


def list_pauses(*, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS) -> int:
    """List what is paused: the whole queue, or projects; with who, why and since when."""
    client = connect(flags)
    found = client.get("/api/queue/pauses")["items"]
    if not json and any(one["scope"] != "queue" for one in found):
        projects = client.items("/api/projects")
        names = {f"project/{one['id']}": f"project {one['name']}" for one in projects}
        found = [{**one, "scope": names.get(one["scope"], one["scope"])} for one in found]
    show(found, as_json=json, columns={"PAUSED": "scope", "BY": "by", "WHY": "why", "SINCE": "at"})
    return 0


def pause_queue(
    *,
    project: str | None = None,
    why: str | None = None,
    json: bool = False,
    flags: ClientFlags = NO_CLIENT_FLAGS,
) -> int:
    """Give agents no more work, of any project or of one; what they do goes on.

    Parameters
    ----------
    project:
        The project whose jobs wait, by name or id.
    why:
        What people are told who look at a waiting job.
    """
    client = connect(flags)
    scope = _change(client, "pause", project, why)
    if json:
        found = client.get("/api/queue/pauses")["items"]
        tell(next((one for one in found if one["scope"] == scope), {"scope": scope}), as_json=True)
    return 0


def resume_queue(
    *, project: str | None = None, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS
) -> int:
    """Give agents work again."""
    tell({"scope": _change(connect(flags), "resume", project, None)}, as_json=json)
    return 0


def _change(client: Client, what: str, project: str | None, why: str | None) -> str:
    """The scope that was paused or resumed, as the list of pauses names it."""
    id = None if project is None else find_project(client, project)["id"]
    body = {"project": id, "why": why}
    client.post(f"/api/queue/{what}", {name: value for name, value in body.items() if value is not None})
    return "queue" if id is None else f"project/{id}"
