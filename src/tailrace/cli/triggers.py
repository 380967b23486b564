"""`tailrace trigger …`."""

from __future__ import annotations

import json as json_module
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from tailrace.cli.client import CallFailed, connect, show, tell
from tailrace.cli.flags import NO_CLIENT_FLAGS, ClientFlags
from tailrace.cli.plans import find_plan
from tailrace.cli.projects import find_project
from tailrace.cli.texts import print_fields, print_json

Kind = Literal["webhook", "git", "subversion", "url", "cron"]
Setting = Annotated[tuple[str, ...], Parameter(name="--set", negative=(), allow_leading_hyphen=True)]

_COLUMNS = {
    "ID": "id",
    "PROJECT": "project_name",
    "PLAN": "plan_name",
    "NAME": "name",
    "KIND": "kind",
    "ENABLED": "enabled",
    "LAST": "last_state",
    "NEXT": "next_at",
    "DETAIL": "last_detail",
}


def add_trigger(
    plan: str,
    kind: Kind,
    *,
    name: str | None = None,
    set: Setting = (),
    disabled: bool = False,
    json: bool = False,
    flags: ClientFlags = NO_CLIENT_FLAGS,
) -> int:
    """Add a trigger of a plan.

    Parameters
    ----------
    plan:
        PROJECT/PLAN, or an id.
    kind:
        What it listens to.
    name:
        Its name among the plan's triggers; its kind if not given.
    set:
        A setting of its kind as NAME=VALUE, with text or JSON as the value: --set interval_s=30 --set 'branches=["main"]'.
    disabled:
        It starts nothing until it is enabled.
    json:
        Print the trigger as JSON.
    """
    client = connect(flags)
    body = {
        "plan": find_plan(client, plan)["id"],
        "name": name or kind,
        "settings": {**_settings(set), "kind": kind},
        "enabled": not disabled,
    }
    made = client.post("/api/triggers", body)
    tell(made, as_json=json, plain=made["id"])
    return 0


def list_triggers(
    *,
    project: str | None = None,
    plan: str | None = None,
    kind: Kind | None = None,
    json: bool = False,
    flags: ClientFlags = NO_CLIENT_FLAGS,
) -> int:
    """List the triggers, with what came of the last look and when the next one is.

    Parameters
    ----------
    project:
        Only those of this project, by name or id.
    plan:
        Only those of this plan: PROJECT/PLAN, or an id.
    kind:
        Only those of this kind.
    """
    client = connect(flags)
    found = client.items(
        "/api/triggers",
        project=find_project(client, project)["id"] if project else None,
        plan=find_plan(client, plan)["id"] if plan else None,
        kind=kind,
    )
    show(found, as_json=json, columns=_COLUMNS)
    return 0


def show_trigger(id: int, *, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS) -> int:
    """Show a trigger with its settings."""
    _print(connect(flags).get(f"/api/triggers/{id}"), json)
    return 0


def change_trigger(
    id: int,
    *,
    name: str | None = None,
    set: Setting = (),
    json: bool = False,
    flags: ClientFlags = NO_CLIENT_FLAGS,
) -> int:
    """Change a trigger: what is not given stays. Where it is to look at something else it forgets what it has seen.

    Parameters
    ----------
    name:
        Its new name.
    set:
        A setting as NAME=VALUE, with text or JSON as the value; null is its usual value.
    """
    client = connect(flags)
    body: dict[str, Any] = {} if name is None else {"name": name}
    if set:
        settings = {**client.get(f"/api/triggers/{id}")["settings"], **_settings(set)}
        body["settings"] = {key: value for key, value in settings.items() if value is not None}
    _print(client.call("PATCH", f"/api/triggers/{id}", body=body), json)
    return 0


def enable_trigger(
    id: int, *, why: str | None = None, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS
) -> int:
    """Let a trigger start runs again.

    Parameters
    ----------
    why:
        For those who look at it later.
    """
    _print(connect(flags).post(f"/api/triggers/{id}/enable", {"why": why}), json)
    return 0


def disable_trigger(
    id: int, *, why: str | None = None, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS
) -> int:
    """Let a trigger start nothing until it is enabled.

    Parameters
    ----------
    why:
        For those who look at it later.
    """
    _print(connect(flags).post(f"/api/triggers/{id}/disable", {"why": why}), json)
    return 0


def check_trigger(id: int, *, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS) -> int:
    """Have a trigger look now, not when its time comes."""
    _print(connect(flags).post(f"/api/triggers/{id}/check"), json)
    return 0


def remove_trigger(id: int, *, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS) -> int:
    """Remove a trigger; its runs stay."""
    connect(flags).call("DELETE", f"/api/triggers/{id}")
    tell({"id": id}, as_json=json)
    return 0


def _settings(given: tuple[str, ...]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise CallFailed(f"--set {one!r}: expected NAME=VALUE, such as interval_s=30")
        try:
            settings[name] = json_module.loads(value)
        except ValueError:
            settings[name] = value
    return settings


def _print(trigger: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(trigger)
        return
    print_fields(
        {
            name: json_module.dumps(value, ensure_ascii=False) if isinstance(value, dict | bool) else value
            for name, value in trigger.items()
        }
    )
