"""The queue gives an agent only what people trust it with, as they say it at the moment of the lease."""

from __future__ import annotations

import secrets
from dataclasses import replace

import pytest
from sqlalchemy import Connection, select

from tailrace.domain.errors import NotFound
from tailrace.domain.states import AgentMode
from tailrace.domain.trust import Taker
from tailrace.store.agents import (
    AgentChange,
    add_agent_token,
    agent_came,
    change_agent,
    list_agents,
    read_standing,
    register_agent,
    remove_agent,
)
from tailrace.store.approvals import ApprovalFilter, decide, list_approvals
from tailrace.store.leases import Offer, lease_attempts
from tailrace.store.plans import create_plan
from tailrace.store.projects import change_project, create_project, remove_project
from tailrace.store.protected import list_protected, protect_label, unprotect_label, who_may
from tailrace.store.runs import create_run, run_again
from tailrace.store.tables import run as runs
from tests.unit.store.world import LEASE_MS, PUSH, a_job, a_project, a_run, an_agent, new_run


def leased(connection: Connection, agent: int) -> list[int]:
    """The runs of which the agent gets something, as it stands now."""
    standing = read_standing(connection, agent)
    assert standing is not None
    granted = lease_attempts(connection, [Offer(agent, standing.taker, 10)], LEASE_MS)
    return [grant.lease.run for grant in granted]


def come(connection: Connection, agent: int, *labels: str, projects: tuple[str, ...] | None = None) -> None:
    agent_came(connection, agent, labels=labels, capacity=1, version="1", address=None, projects=projects)


def a_run_of(connection: Connection, project: int, *labels: str, from_fork: bool = False) -> int:
    """Approved, where it is from a fork."""
    definition = "jobs: {a: {steps: [{run: make}]}}"
    plan = create_plan(connection, project, secrets.token_hex(4), definition=definition).id
    event = PUSH.model_copy(update={"from_fork": from_fork})
    run = a_run(connection, a_job("a", labels=labels), plan_id=plan, event=event)
    for asked in list_approvals(connection, ApprovalFilter(run=run)):
        decide(connection, asked.id, approve=True, by="kim", why=None)
    return run


def test_people_say_whose_work_an_agent_takes(connection: Connection) -> None:
    """By ids; until they say that it takes all again."""
    ours, theirs = a_project(connection), a_project(connection)
    agent = an_agent(connection)
    change_agent(connection, agent, AgentChange(projects=[ours]), "kim")
    mine, other = a_run_of(connection, ours), a_run_of(connection, theirs)
    assert leased(connection, agent) == [mine]
    assert leased(connection, agent) == []
    assert list_agents(connection, LEASE_MS)[0].projects == (ours,)
    change_agent(connection, agent, AgentChange(any_project=True), "kim")
    assert leased(connection, agent) == [other]
    assert list_agents(connection, LEASE_MS)[0].projects is None
    with pytest.raises(NotFound, match="project 999999"):
        change_agent(connection, agent, AgentChange(projects=[999999]), "kim")


def test_a_registration_token_can_say_it_too(connection: Connection) -> None:
    """The agent that it registers keeps the list."""
    ours, theirs = a_project(connection), a_project(connection)
    add_agent_token(connection, "t", (), LEASE_MS, [ours])
    agent = register_agent(connection, "t", "c", name="a", labels=(), capacity=1, version="1")
    a_run_of(connection, theirs)
    mine = a_run_of(connection, ours)
    assert leased(connection, agent) == [mine]
    with pytest.raises(NotFound):
        add_agent_token(connection, "t2", (), LEASE_MS, [999999])


def test_an_agent_says_itself_whose_work_it_takes(connection: Connection) -> None:
    """By names, of projects that there are; both lists hold."""
    ours, both, theirs = (create_project(connection, name, "/r").id for name in ("ours", "both", "theirs"))
    agent = an_agent(connection)
    come(connection, agent, projects=("ours", "both", "unknown"))
    change_agent(connection, agent, AgentChange(projects=[both, theirs]), "kim")
    a_run_of(connection, ours)
    a_run_of(connection, theirs)
    mine = a_run_of(connection, both)
    assert leased(connection, agent) == [mine]
    change_project(connection, both, name="renamed")
    a_run_of(connection, both)
    assert leased(connection, agent) == [], "it said a name, which is no project's now"
    come(connection, agent)
    assert len(leased(connection, agent)) == 2, "what people said holds"


def test_a_name_that_is_free_again_is_another_project(connection: Connection) -> None:
    """What people said of the removed one does not hold for it."""
    first = create_project(connection, "name", "/r").id
    agent = an_agent(connection)
    change_agent(connection, agent, AgentChange(projects=[first]), "kim")
    remove_project(connection, first)
    a_run_of(connection, create_project(connection, "name", "/r").id)
    assert leased(connection, agent) == []


def test_a_protected_label_is_for_its_projects(connection: Connection) -> None:
    """The agent that has it takes nothing else; runs from forks wait; without protection everybody may again."""
    ours, theirs = a_project(connection), a_project(connection)
    agent = an_agent(connection)
    change_agent(connection, agent, AgentChange(labels=["prod"]), "kim")
    protect_label(connection, "prod", [ours], "kim", "it deploys")
    assert who_may(connection) == {"prod": frozenset({ours})}
    wanting = a_run_of(connection, theirs, "prod")
    plain = a_run_of(connection, theirs)
    fork = a_run_of(connection, ours, "prod", from_fork=True)
    good = a_run_of(connection, ours, "prod")
    assert leased(connection, agent) == [good]
    assert leased(connection, an_agent(connection)) == [plain], "an agent without it takes any"
    unprotect_label(connection, "prod")
    assert set(leased(connection, agent)) == {wanting, fork}
    with pytest.raises(NotFound, match="protected label prod"):
        unprotect_label(connection, "prod")


def test_protecting_again_takes_the_place_of_before(connection: Connection) -> None:
    """With who, why and when."""
    first, second = a_project(connection), a_project(connection)
    protect_label(connection, "prod", [first], "kim")
    protect_label(connection, "prod", [second], "ada", "moved")
    (shown,) = list_protected(connection)
    assert (shown.name, shown.projects, shown.by, shown.why) == ("prod", (second,), "ada", "moved")
    with pytest.raises(NotFound):
        protect_label(connection, "prod", [999999], "kim")


def test_an_agent_cannot_give_itself_a_protected_label(connection: Connection) -> None:
    """Until people give it."""
    ours = a_project(connection)
    agent = an_agent(connection, "prod")
    come(connection, agent, "prod")
    protect_label(connection, "prod", [ours], "kim")
    run = a_run_of(connection, ours, "prod")
    assert leased(connection, agent) == []
    change_agent(connection, agent, AgentChange(labels=["prod"]), "kim")
    assert leased(connection, agent) == [run]


def test_a_run_again_of_a_fork_is_a_forks(connection: Connection) -> None:
    """Nobody launders a stranger's commit by running it again."""
    ours = a_project(connection)
    fork = a_run_of(connection, ours, from_fork=True)
    again = create_run(connection, replace(run_again(connection, fork, "kim")))
    assert connection.execute(select(runs.c.from_fork).where(runs.c.id == again)).scalar_one() is True


@pytest.mark.parametrize(
    "change",
    [
        AgentChange(projects=[]),
        AgentChange(mode=AgentMode.PAUSED),
        None,
    ],
)
def test_what_people_said_after_the_offer_was_made_holds(
    connection: Connection, change: AgentChange | None
) -> None:
    """Another agent that may gets the work in the same lease."""
    project = a_project(connection)
    changed, other = an_agent(connection), an_agent(connection)
    run = a_run_of(connection, project)
    if change is None:
        remove_agent(connection, changed, "kim")
    else:
        change_agent(connection, changed, change, "kim")
    before = Taker(frozenset())
    offers = [Offer(changed, before, 9), Offer(other, before, 1)]
    granted = lease_attempts(connection, offers, LEASE_MS)
    assert [(grant.agent_id, grant.lease.run) for grant in granted] == [(other, run)]


def test_a_label_that_was_taken_after_the_offer_was_made_counts_no_more(connection: Connection) -> None:
    """The offer names the labels that the agent had."""
    agent = an_agent(connection)
    create_run(connection, new_run(connection, [a_job("a", labels=["gpu"])]))
    change_agent(connection, agent, AgentChange(labels=["gpu"]), "kim")
    standing = read_standing(connection, agent)
    assert standing is not None
    change_agent(connection, agent, AgentChange(labels=[]), "kim")
    assert lease_attempts(connection, [Offer(agent, standing.taker, 1)], LEASE_MS) == []
