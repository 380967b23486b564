"""Agents: registered with a one-time token, known by their credential, shown with what they do."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import Connection, insert

from tailrace.domain.errors import NotFound, Unauthorised
from tailrace.domain.report import Load, MachineReport
from tailrace.domain.states import AgentMode
from tailrace.domain.trust import Taker
from tailrace.store import Store
from tailrace.store.agent_changes import list_changes
from tailrace.store.agents import (
    AgentChange,
    Standing,
    add_agent_token,
    agent_came,
    agent_left,
    change_agent,
    find_agent,
    list_agents,
    note_trouble,
    read_standing,
    register_agent,
    remove_agent,
)
from tailrace.store.leases import end_lapsed, find_lapsed, renew_leases
from tailrace.store.projects import get_project
from tailrace.store.tables import agent_change
from tests.unit.store.world import LEASE_MS, a_job, a_project, a_run, an_agent, finish, lease, start


def register(connection: Connection, token: str, credential: str = "c") -> int:
    return register_agent(
        connection, token, credential, name="host-1", labels=["linux", "gpu"], capacity=2, version="1.0"
    )


def came(connection: Connection, id: int, *labels: str) -> frozenset[str]:
    standing = agent_came(connection, id, labels=labels, capacity=3, version="2.0", address="10.0.0.1")
    return standing.taker.labels


def test_every_change_of_an_agent_says_who_and_why(connection: Connection) -> None:
    """Also that it was resumed or removed, and after that; what a mode is now stands beside the agent."""
    id, project = an_agent(connection), a_project(connection)
    name = list_agents(connection, LEASE_MS)[0].name
    for number, change in enumerate(
        (
            AgentChange(mode=AgentMode.PAUSED),
            AgentChange(mode=AgentMode.ACTIVE),
            AgentChange(name="other"),
            AgentChange(labels=["prod", "gpu"]),
            AgentChange(projects=[project]),
            AgentChange(any_project=True, mode=AgentMode.DRAINING),
        )
    ):
        change_agent(connection, id, change._replace(why=f"why {number}"), "kim")
    change_agent(connection, id, AgentChange(mode=AgentMode.ACTIVE, why="well again"), "kim")
    (agent,) = list_agents(connection, LEASE_MS)
    assert (agent.mode_by, agent.mode_why, agent.mode_at) == (None, None, None)
    change_agent(connection, id, AgentChange(why="nothing"), "kim")
    remove_agent(connection, id, "lee", "too old")
    assert [(one.what, one.by, one.why) for one in reversed(list_changes(connection, id))] == [
        ("paused", "kim", "why 0"),
        ("resumed", "kim", "why 1"),
        (f"renamed from {name} to other", "kim", "why 2"),
        ("given the labels gpu, prod", "kim", "why 3"),
        (f"allowed the projects {get_project(connection, project).name}", "kim", "why 4"),
        ("told to drain; allowed all projects", "kim", "why 5"),
        ("resumed", "kim", "well again"),
        ("removed", "lee", "too old"),
    ]
    allowed = list_changes(connection, id)[2].model_dump()["parts"]
    assert allowed == ({"kind": "mode", "mode": "draining"}, {"kind": "projects", "projects": None})
    newest, before = list_changes(connection, id, limit=2)
    assert [one.id for one in list_changes(connection, id, before=newest.id, limit=1)] == [before.id]
    with pytest.raises(NotFound):
        list_changes(connection, id + 1)


def test_a_change_that_an_older_version_kept_in_words_stays_readable(connection: Connection) -> None:
    id = an_agent(connection)
    old = {"agent_id": id, "what": "given the labels a; b", "by": "kim", "why": None, "at": 1}
    connection.execute(insert(agent_change).values(old))
    (change,) = list_changes(connection, id)
    assert (change.what, change.parts) == ("given the labels a; b", None)


def test_trouble_has_a_time_and_an_end(connection: Connection) -> None:
    """What an agent reports lasts until it is another version; that it is not understood, until it is."""
    id = an_agent(connection)
    came(connection, id)

    def trouble() -> str | None:
        (agent,) = list_agents(connection, LEASE_MS)
        assert (agent.trouble is None) == (agent.trouble_at is None)
        return agent.trouble

    note_trouble(connection, id, "no room")
    came(connection, id)
    assert trouble() == "no room", "it came back, and nobody mended it"
    agent_came(connection, id, labels=(), capacity=1, version="2.1", address=None)
    assert trouble() is None
    note_trouble(connection, id, "agent 2.1 speaks protocol 9", refused=True)
    agent_came(connection, id, labels=(), capacity=1, version="2.1", address=None)
    assert trouble() is None
    note_trouble(connection, id, "agent 2.1 speaks protocol 9", refused=True)
    note_trouble(connection, id, "no room")
    agent_came(connection, id, labels=(), capacity=1, version="2.1", address=None)
    assert trouble() == "no room"


def test_a_token_registers_one_agent_with_its_labels(connection: Connection) -> None:
    add_agent_token(connection, "t", ["prod", "linux"], LEASE_MS)
    id = register(connection, "t")
    assert find_agent(connection, "c") == id
    assert find_agent(connection, "other") is None
    (agent,) = list_agents(connection, LEASE_MS)
    assert (agent.id, agent.name, agent.labels, agent.capacity, agent.state) == (
        id,
        "host-1",
        ("gpu", "linux", "prod"),
        2,
        "offline",
    )
    with pytest.raises(Unauthorised):
        register(connection, "t", "c2")


@pytest.mark.parametrize("token", ["expired", "unknown"])
def test_a_token_that_is_no_good_is_refused_with_what_to_do(connection: Connection, token: str) -> None:
    add_agent_token(connection, "expired", [], -1)
    with pytest.raises(Unauthorised, match="tailrace agent-token"):
        register(connection, token)
    assert list_agents(connection, LEASE_MS) == []


async def test_a_token_that_is_used_twice_at_once_registers_one_agent(store: Store) -> None:
    await store.write(add_agent_token, "t", [], LEASE_MS)
    answers = await asyncio.gather(
        *(store.write(register, "t", f"c{n}") for n in range(8)), return_exceptions=True
    )
    assert len([answer for answer in answers if isinstance(answer, int)]) == 1
    assert len([answer for answer in answers if isinstance(answer, Unauthorised)]) == 7


def test_an_agent_is_online_while_it_is_connected_and_heard_of(connection: Connection) -> None:
    id = an_agent(connection, "linux")
    assert came(connection, id, "b", "a", "b") == {"a", "b"}
    (agent,) = list_agents(connection, LEASE_MS)
    assert (agent.state, agent.labels, agent.capacity, agent.version, agent.address) == (
        "online",
        ("a", "b"),
        3,
        "2.0",
        "10.0.0.1",
    )
    assert list_agents(connection, -LEASE_MS)[0].state == "offline", "not heard of for longer than a lease"
    agent_left(connection, id)
    assert list_agents(connection, LEASE_MS)[0].state == "offline"
    renew_leases(connection, id, LEASE_MS)
    assert list_agents(connection, LEASE_MS)[0].state == "online", (
        "an old connection may end after a new one began"
    )


def test_an_agent_shows_how_much_it_holds_and_its_last_trouble(connection: Connection) -> None:
    busy, idle = an_agent(connection, name="busy"), an_agent(connection, name="idle")
    a_run(connection, a_job("a"), a_job("b"), a_job("c"))
    held = lease(connection, busy, free=3)
    finish(connection, busy, held[0].attempt)
    note_trouble(connection, idle, "first")
    note_trouble(connection, idle, "disk full")
    assert [(agent.name, agent.busy, agent.trouble) for agent in list_agents(connection, LEASE_MS)] == [
        ("busy", 2, None),
        ("idle", 0, "disk full"),
    ]


MACHINE = MachineReport(
    hostname="h",
    system="Debian",
    architecture="x86_64",
    processors=2,
    memory=1,
    disk=2,
    tools={"git": "2.39"},
)


def test_what_an_agent_says_of_its_machine_is_shown(connection: Connection) -> None:
    """The machine from its hello, the load from its beats; a beat without a load changes nothing."""
    id = an_agent(connection)
    agent_came(connection, id, labels=(), capacity=1, version="1", address=None, machine=MACHINE)
    load = Load(waiting=1.5, memory_free=3, disk_free=4)
    renew_leases(connection, id, LEASE_MS, load)
    renew_leases(connection, id, LEASE_MS)
    (agent,) = list_agents(connection, LEASE_MS)
    assert (agent.machine, agent.load) == (MACHINE, load)


def test_people_say_what_an_agent_is_for(connection: Connection) -> None:
    """Who and why are kept until it is active again."""
    id = an_agent(connection)
    change_agent(connection, id, AgentChange(mode=AgentMode.PAUSED, why="new disk"), "kim")
    (agent,) = list_agents(connection, LEASE_MS)
    assert (agent.mode, agent.mode_by, agent.mode_why) == ("paused", "kim", "new disk")
    assert agent.mode_at is not None
    standing = read_standing(connection, id)
    assert standing is not None
    assert standing.mode is AgentMode.PAUSED
    change_agent(connection, id, AgentChange(mode=AgentMode.ACTIVE), "kim")
    (agent,) = list_agents(connection, LEASE_MS)
    assert (agent.mode, agent.mode_by, agent.mode_why, agent.mode_at) == ("active", None, None, None)


def test_labels_that_people_gave_are_replaced_and_the_machines_own_stay(connection: Connection) -> None:
    """Also when the agent comes back and says its own again."""
    add_agent_token(connection, "t", ["prod"], LEASE_MS)
    id = register(connection, "t")
    change_agent(connection, id, AgentChange(name="big", labels=["test"]), "kim")
    (agent,) = list_agents(connection, LEASE_MS)
    assert (agent.name, agent.labels, agent.granted_labels) == ("big", ("gpu", "linux", "test"), ("test",))
    assert came(connection, id, "linux") == {"linux", "test"}


def test_a_removed_agent_loses_all(connection: Connection) -> None:
    """Its credential opens nothing, and what it held lapses at once: queued again or lost, with the reason."""
    id = an_agent(connection)
    a_run(connection, a_job("a"), a_job("b"))
    held = lease(connection, id, free=2)
    start(connection, id, held[0].attempt)
    remove_agent(connection, id, "kim")
    assert read_standing(connection, id) is None
    assert list_agents(connection, LEASE_MS) == []
    lapsed = find_lapsed(connection)
    assert {one.attempt_id for one in lapsed} == {one.attempt for one in held}
    for one in lapsed:
        assert end_lapsed(connection, one, 0) is not None
    assert find_lapsed(connection) == []
    with pytest.raises(NotFound):
        remove_agent(connection, id, "kim")
    with pytest.raises(NotFound):
        change_agent(connection, id, AgentChange(), "kim")
    gone = agent_came(connection, id, labels=("linux",), capacity=1, version="1", address=None)
    assert gone == Standing(Taker(frozenset()), AgentMode.PAUSED), "its connection may have begun before"
