"""`tailrace delivery …`."""

from __future__ import annotations

import sys
from typing import Any, Literal

from tailrace.cli.client import CallFailed, Client, connect, show
from tailrace.cli.flags import NO_CLIENT_FLAGS, ClientFlags, Limit
from tailrace.cli.out import Out
from tailrace.cli.projects import find_project
from tailrace.cli.texts import print_fields, print_json, say, tame

AT_ONCE = 200
"""What is replayed at a time: it is told as it goes."""
State = Literal["accepted", "ignored", "invalid"]


def list_deliveries(
    *,
    project: str | None = None,
    state: State | None = None,
    source: str | None = None,
    event: str | None = None,
    since: str | None = None,
    until: str | None = None,
    limit: Limit = 50,
    json: bool = False,
    flags: ClientFlags = NO_CLIENT_FLAGS,
) -> int:
    """List the webhooks that came, the newest first.

    Parameters
    ----------
    project:
        Only those of this project, by name or id.
    state:
        accepted: runs came of it; ignored: none, and DETAIL says why; invalid: it could not be understood.
    source:
        Only those from this kind of sender, such as github.
    event:
        Only those of this event, in the sender's own word, such as push.
    since:
        Only those that came at this time or later: ISO 8601, or ms since 1970.
    until:
        Only those that came before this time.
    limit:
        How many at most.
    """
    client = connect(flags)
    wanted = _filters(client, project, state, source, event, since, until)
    found = client.items("/api/deliveries", limit, **wanted)
    if not json:
        found = [{**one, "runs": _runs(one)} for one in found]
    columns = {
        "ID": "id",
        "RECEIVED": "received_at",
        "PROJECT": "project_name",
        "SOURCE": "source",
        "EVENT": "event",
        "STATE": "state",
        "RUNS": "runs",
        "DETAIL": "detail",
    }
    show(found, as_json=json, columns=columns)
    return 0


def show_delivery(
    id: int, *, body: bool = False, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS
) -> int:
    """Show a delivery: its headers, what each trigger made of it, what came of its replays.

    Parameters
    ----------
    body:
        Print its body instead, byte for byte as it was sent.
    """
    client = connect(flags)
    if body:
        sent, _ = client.raw("GET", f"/api/deliveries/{id}/body", {})
        out = Out(sys.stdout.buffer)
        out.write(sent)
        out.flush()
        return 0
    found = client.get(f"/api/deliveries/{id}")
    if json:
        print_json(found)
        return 0
    delivery = found["delivery"]
    names = ("source", "event", "key", "state", "detail", "removed_at")
    first = {"id": id, "received_at": delivery["received_at"], "project": delivery["project_name"]}
    runs = ", ".join(_runs(delivery)) or None
    print_fields({**first, **{name: delivery[name] for name in names}, "runs": runs, "size": found["size"]})
    _show_outcomes(delivery["project_name"], delivery["outcomes"])
    for one in found["replayed"]:
        say(tame(f"replayed by {one['by']} at {one['at']}: {one['detail'] or one['state']}"))
        _show_outcomes(delivery["project_name"], one["outcomes"])
    for name, value in found["headers"].items():
        say(tame(f"{name}: {value}"))
    return 0


def replay_deliveries(
    *ids: int,
    project: str | None = None,
    state: State | None = None,
    source: str | None = None,
    event: str | None = None,
    since: str | None = None,
    until: str | None = None,
    after: int | None = None,
    dry_run: bool = False,
    json: bool = False,
    flags: ClientFlags = NO_CLIENT_FLAGS,
) -> int:
    """Act on deliveries again, as the triggers are now: those with these IDS, or all that the filters let through.

    Parameters
    ----------
    project:
        Only those of this project, by name or id.
    state:
        accepted, ignored or invalid.
    source:
        Only those from this kind of sender, such as github.
    event:
        Only those of this event, in the sender's own word, such as push.
    since:
        Only those that came at this time or later: ISO 8601, or ms since 1970.
    until:
        Only those that came before this time.
    after:
        Go on above this delivery, where it stopped.
    dry_run:
        Only say which.
    """
    client = connect(flags)
    body = _filters(client, project, state, source, event, since, until)
    if ids:
        body["ids"] = list(ids)
    if not body:
        raise CallFailed("say which deliveries: ids, or a filter such as --project")
    body = {name: value for name, value in body.items() if value is not None} | {"dry_run": dry_run}
    if after is not None:
        body["after"] = after
    whole: dict[str, Any] = {"dry_run": dry_run, "deliveries": [], "replayed": [], "failed": []}
    while True:
        done = client.call("POST", "/api/deliveries/replay", body=body | {"limit": AT_ONCE}, timeout_s=600)
        for name in ("deliveries", "replayed", "failed"):
            whole[name] += done[name]
        if not json:
            _tell(done)
        if done["next"] is None or done["stopped"] is not None:
            break
        body |= {"after": done["next"], "through": done["through"]}
    if json:
        print_json(whole | {"next": done["next"], "stopped": done["stopped"]})
    if done["stopped"] is not None:
        say(f"tailrace: {done['stopped']}: go on with --after {done['next']}", to=sys.stderr)
    return 1 if whole["failed"] or done["stopped"] is not None else 0


def _tell(done: dict[str, Any]) -> None:
    for id in done["deliveries"] if done["dry_run"] else ():
        print(id)
    for one in done["replayed"]:
        runs = ", ".join(_runs(one))
        say(tame(f"delivery {one['delivery']}: {f'runs {runs}' if runs else one['detail']}"))
    for one in done["failed"]:
        say(f"tailrace: delivery {one['delivery']}: {one['detail']}", to=sys.stderr)


def _runs(delivery: dict[str, Any]) -> list[str]:
    return [f"{delivery['project_name']}#{number}" for number in delivery["run_numbers"]]


def _filters(
    client: Client,
    project: str | None,
    state: str | None,
    source: str | None,
    event: str | None,
    since: str | None,
    until: str | None,
) -> dict[str, Any]:
    id = find_project(client, project)["id"] if project else None
    wanted = {
        "project": id,
        "state": state,
        "source": source,
        "event": event,
        "since": since,
        "until": until,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _show_outcomes(project: str, outcomes: list[dict[str, Any]] | None) -> None:
    for one in outcomes or ():
        came = f"run {project}#{one['run_number']}" if one["run"] is not None else one["why_not"]
        say(tame(f"  {one['plan_name']}/{one['name']}: {came}"))
