"""`tailrace notify …`."""

from __future__ import annotations

import sys
from typing import Annotated, Any

from cyclopts import Parameter

from tailrace.cli.client import CallFailed, Client, connect, show, tell
from tailrace.cli.flags import NO_CLIENT_FLAGS, ClientFlags, Limit
from tailrace.cli.plans import find_plan
from tailrace.cli.projects import find_project
from tailrace.cli.texts import say


def list_channels(*, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS) -> int:
    """List the channels, without their secrets."""
    found = connect(flags).items("/api/channels")
    columns = {
        "ID": "id",
        "NAME": "name",
        "KIND": "kind",
        "PROJECT": "project_name",
        "SECRETS": "secrets",
        "ENABLED": "enabled",
    }
    show(found if json else [_for_all(one) for one in found], as_json=json, columns=columns)
    return 0


def add_channel(
    kind: str,
    name: str,
    *,
    project: str | None = None,
    set: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    json: bool = False,
    flags: ClientFlags = NO_CLIENT_FLAGS,
) -> int:
    """Add a channel; its secrets are read from standard input, a line NAME=VALUE each.

    Parameters
    ----------
    kind:
        email, slack, teams, telegram, discord, dingtalk, wecom, feishu, webhook, apprise, github, gitlab or gitea.
    project:
        The project whose rules may use it, by name or id; all if not given. A forge's channel needs one.
    set:
        A setting as NAME=VALUE, such as host=mail.example.org; for several values, once for each: to=a@b.org.
    """
    client = connect(flags)
    body = {
        "name": name,
        "project": find_project(client, project)["id"] if project else None,
        "settings": {"kind": kind, **_settings(set)},
        "secrets": _secrets(),
    }
    made = client.post("/api/channels", body)
    tell(made, as_json=json, plain=made["id"])
    return 0


def try_channel(name: str, *, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS) -> int:
    """Send a test message by a channel, by name or id; exit status 1 when it does not arrive."""
    client = connect(flags)
    said = client.post(f"/api/channels/{_find_channel(client, name)['id']}/test")
    if json:
        tell(said, as_json=True)
    else:
        say(said["detail"], to=sys.stdout if said["ok"] else sys.stderr)
    return 0 if said["ok"] else 1


def enable_channel(name: str, *, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS) -> int:
    """Let a channel send again, by name or id."""
    return _switch(name, True, json, flags)


def disable_channel(name: str, *, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS) -> int:
    """Let a channel send nothing for a while, by name or id; what waits has failed."""
    return _switch(name, False, json, flags)


def remove_channel(name: str, *, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS) -> int:
    """Remove a channel with its rules and secrets, by name or id."""
    client = connect(flags)
    id = _find_channel(client, name)["id"]
    client.call("DELETE", f"/api/channels/{id}")
    tell({"id": id}, as_json=json)
    return 0


def list_rules(
    *, project: str | None = None, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS
) -> int:
    """List the rules.

    Parameters
    ----------
    project:
        Only those for its runs.
    """
    client = connect(flags)
    of = find_project(client, project)["id"] if project else None
    found = client.items("/api/notification-rules", project=of)
    columns = {
        "ID": "id",
        "CHANNEL": "channel_name",
        "PROJECT": "project_name",
        "PLAN": "plan_name",
        "ON": "on",
        "BRANCHES": "branches",
        "ENABLED": "enabled",
    }
    show(found if json else [_for_all(one) for one in found], as_json=json, columns=columns)
    return 0


def add_rule(
    channel: str,
    on: Annotated[str, Parameter(name="--on")],
    *,
    project: str | None = None,
    plan: str | None = None,
    branch: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    json: bool = False,
    flags: ClientFlags = NO_CLIENT_FLAGS,
) -> int:
    """Have a channel tell of runs.

    Parameters
    ----------
    channel:
        By name or id.
    on:
        What it tells, separated by commas: failed, first_failure, recovered, every, waiting.
    project:
        Of whose runs, by name or id; of all projects if neither this nor a plan is given.
    plan:
        Of which plan's runs, as PROJECT/PLAN or id; of all if not given.
    branch:
        A pattern such as release/*; once for each. All branches if not given.
    """
    client = connect(flags)
    body = {
        "channel": _find_channel(client, channel)["id"],
        "project": find_project(client, project)["id"] if project else None,
        "plan": find_plan(client, plan)["id"] if plan else None,
        "on": [word.strip() for word in on.split(",") if word.strip()],
        "branches": list(branch) or None,
    }
    made = client.post("/api/notification-rules", body)
    tell(made, as_json=json, plain=made["id"])
    return 0


def remove_rule(id: int, *, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS) -> int:
    """Remove a rule, by id."""
    connect(flags).call("DELETE", f"/api/notification-rules/{id}")
    tell({"id": id}, as_json=json)
    return 0


def list_notifications(
    *,
    state: str | None = None,
    run: int | None = None,
    channel: str | None = None,
    project: str | None = None,
    limit: Limit = 50,
    json: bool = False,
    flags: ClientFlags = NO_CLIENT_FLAGS,
) -> int:
    """List what was sent and what was not, newest first.

    Parameters
    ----------
    state:
        Only those that are pending, sent, failed or unsure.
    run:
        Only those of this run, by id.
    channel:
        Only those of this channel, by name or id.
    project:
        Only those of the runs of this project, by name or id.
    limit:
        How many at most.
    """
    client = connect(flags)
    of = _find_channel(client, channel)["id"] if channel else None
    whose = find_project(client, project)["id"] if project else None
    found = client.items("/api/notifications", limit, state=state, run=run, channel=of, project=whose)
    columns = {
        "ID": "id",
        "RUN": "run",
        "CHANNEL": "channel_name",
        "WHAT": "what",
        "STATE": "state",
        "ATTEMPTS": "attempts",
        "NEXT": "next_at",
        "ERROR": "last_error",
    }
    show(found, as_json=json, columns=columns)
    return 0


def retry_notification(id: int, *, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS) -> int:
    """Send one again that failed or is unsure, by id."""
    tell(connect(flags).post(f"/api/notifications/{id}/retry"), as_json=json)
    return 0


def show_badge(
    project: str,
    *,
    plan: str | None = None,
    branch: str | None = None,
    json: bool = False,
    flags: ClientFlags = NO_CLIENT_FLAGS,
) -> int:
    """Print the Markdown of a project's status badge: whoever has its address sees it.

    Parameters
    ----------
    project:
        By name or id.
    plan:
        Of one plan, by its name; of all if not given.
    branch:
        On one branch; on any if not given.
    """
    client = connect(flags)
    found = client.get("/api/badges", project=find_project(client, project)["id"], plan=plan, branch=branch)
    tell(found, as_json=json, plain=found["markdown"])
    return 0


def _switch(name: str, enabled: bool, as_json: bool, flags: ClientFlags) -> int:
    client = connect(flags)
    id = _find_channel(client, name)["id"]
    tell(client.call("PATCH", f"/api/channels/{id}", body={"enabled": enabled}), as_json=as_json)
    return 0


def _find_channel(client: Client, name: str) -> dict[str, Any]:
    for channel in client.items("/api/channels"):
        if name in (channel["name"], str(channel["id"])):
            return channel
    raise CallFailed(f"there is no channel {name!r}: `tailrace notify channels` shows them")


def _for_all(one: dict[str, Any]) -> dict[str, Any]:
    return {**one, "project_name": one["project_name"] or "(all)"}


def _settings(given: tuple[str, ...]) -> dict[str, Any]:
    """Settings by name; those given more than once, and a mail's receivers, are lists."""
    found: dict[str, Any] = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign:
            raise CallFailed(f"--set {text!r}: expected NAME=VALUE")
        if name == "to":
            found.setdefault(name, []).append(value)
        else:
            found[name] = value
    return found


def _secrets() -> dict[str, str]:
    """From standard input, never from the arguments, which others can list."""
    if sys.stdin.isatty():
        print("Secrets, a line NAME=VALUE each; an empty line ends them:", file=sys.stderr)
    found: dict[str, str] = {}
    for line in sys.stdin:
        text = line.rstrip("\r\n")
        if not text:
            break
        name, sign, value = text.partition("=")
        if not sign:
            raise CallFailed("standard input: expected a secret as NAME=VALUE in each line")
        found[name.strip()] = value
    return found
