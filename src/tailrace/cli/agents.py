"""`tailrace agents …`: what people want of agents."""

from __future__ import annotations

from typing import Any, cast

from tailrace.cli.agent import split_labels
from tailrace.cli.client import CallFailed, Client, connect, show, tell
from tailrace.cli.flags import NO_CLIENT_FLAGS, ClientFlags
from tailrace.cli.projects import find_projects
from tailrace.cli.texts import print_fields, print_json

_COLUMNS = {
    "ID": "id",
    "NAME": "name",
    "STATE": "state",
    "MODE": "mode",
    "BUSY": "busy",
    "CAPACITY": "capacity",
    "LABELS": "labels",
}


def list_agents(*, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS) -> int:
    """List the agents."""
    show(connect(flags).items("/api/agents"), as_json=json, columns=_COLUMNS)
    return 0


def show_agent(agent: str, *, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS) -> int:
    """Show all that is known of an agent, by name or id."""
    found = find_agent(connect(flags), agent)
    if json:
        print_json(found)
        return 0
    print_fields({name: _in_words(value) for name, value in found.items()}, 16)
    return 0


def pause_agent(
    agent: str, *, why: str | None = None, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS
) -> int:
    """Give an agent no more work for a while; what it does goes on."""
    return _change(flags, json, agent, mode="paused", why=why)


def drain_agent(
    agent: str, *, why: str | None = None, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS
) -> int:
    """Give an agent no more work, because it is to go: it is drained when BUSY is 0."""
    return _change(flags, json, agent, mode="draining", why=why)


def resume_agent(
    agent: str, *, why: str | None = None, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS
) -> int:
    """Give an agent work again."""
    return _change(flags, json, agent, mode="active", why=why)


def rename_agent(
    agent: str,
    name: str,
    *,
    why: str | None = None,
    json: bool = False,
    flags: ClientFlags = NO_CLIENT_FLAGS,
) -> int:
    """Call an agent something else."""
    return _change(flags, json, agent, name=name, why=why)


def relabel_agent(
    agent: str,
    labels: str,
    *,
    why: str | None = None,
    json: bool = False,
    flags: ClientFlags = NO_CLIENT_FLAGS,
) -> int:
    """Give an agent these labels, separated by commas, in place of those that it was given; its machine's own stay."""
    return _change(flags, json, agent, labels=split_labels(labels), why=why)


def allow_agent(
    agent: str,
    projects: str | None = None,
    *,
    all: bool = False,
    why: str | None = None,
    json: bool = False,
    flags: ClientFlags = NO_CLIENT_FLAGS,
) -> int:
    """Say whose work an agent may take; what it does goes on. One that names projects itself takes what both lists have.

    Parameters
    ----------
    projects:
        Names or ids, separated by commas, in place of those that were allowed before.
    all:
        Any project's.
    why:
        What people are told who ask for its changes.
    """
    if all is (projects is not None):
        raise CallFailed("name the projects whose work it may take, or say --all")
    client = connect(flags)
    body: dict[str, object] = {"projects": None if projects is None else find_projects(client, projects)}
    if why is not None:
        body["why"] = why
    tell(client.call("PATCH", f"/api/agents/{find_agent(client, agent)['id']}", body=body), as_json=json)
    return 0


def remove_agent(
    agent: str, *, why: str | None = None, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS
) -> int:
    """Revoke an agent's credential: it loses what it does, and must register again to come back."""
    client = connect(flags)
    id = find_agent(client, agent)["id"]
    client.call("DELETE", f"/api/agents/{id}", query={} if why is None else {"why": why})
    tell({"id": id}, as_json=json)
    return 0


def list_changes(agent: str, *, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS) -> int:
    """List who changed an agent and why, newest first; one that was removed is named by its id."""
    client = connect(flags)
    try:
        id = find_agent(client, agent)["id"]
    except CallFailed:
        if not (agent.isascii() and agent.isdigit()):
            raise
        id = int(agent)
    found = client.items(f"/api/agents/{id}/changes")
    show(found, as_json=json, columns={"AT": "at", "WHAT": "what", "BY": "by", "WHY": "why"})
    return 0


def find_agent(client: Client, name: str) -> dict[str, Any]:
    """The agent of that name or id; raises CallFailed when there is none, or more than one."""
    found = client.items("/api/agents")
    fits = [agent for agent in found if name == str(agent["id"])] or [a for a in found if name == a["name"]]
    if len(fits) == 1:
        return fits[0]
    if fits:
        ids = ", ".join(str(agent["id"]) for agent in fits)
        raise CallFailed(f"{len(fits)} agents are called {name!r}: name one by its id ({ids})")
    raise CallFailed(f"there is no agent {name!r}: `tailrace agents` shows them")


def _in_words(value: Any) -> str:
    match value:
        case None:
            return ""
        case dict():
            return ", ".join(
                f"{name} {_in_words(part)}" for name, part in cast(dict[str, Any], value).items()
            )
        case list():
            return ", ".join(map(_in_words, cast(list[Any], value)))
        case _:
            return str(value)


def _change(flags: ClientFlags, as_json: bool, agent: str, **wish: object) -> int:
    client = connect(flags)
    body = {name: value for name, value in wish.items() if value is not None}
    tell(client.call("PATCH", f"/api/agents/{find_agent(client, agent)['id']}", body=body), as_json=as_json)
    return 0
