"""Why a job waits, in words: what of it concerns trust."""

from __future__ import annotations

import pytest

from tailrace.dispatch.why import Held, explain
from tailrace.domain.model import AgentView, JobView
from tailrace.domain.states import AgentMode, JobState
from tailrace.domain.trust import Origin

SHOP, PROD = 1, {"prod": frozenset({1})}


def a_job(*labels: str) -> JobView:
    return JobView(
        id=1,
        run=1,
        name="a",
        state=JobState.PENDING,
        reason=None,
        detail=None,
        needs=(),
        labels=labels,
        agent=None,
        created_at=0,
        started_at=None,
        finished_at=None,
        attempts=(),
    )


def an_agent(
    *labels: str,
    granted: tuple[str, ...] = (),
    projects: tuple[int, ...] | None = None,
    own: tuple[str, ...] | None = None,
) -> AgentView:
    return AgentView(
        id=1,
        name="host",
        state="online",
        labels=labels,
        capacity=1,
        busy=0,
        version="1",
        address=None,
        trouble=None,
        granted_labels=granted,
        projects=projects,
        own_projects=own,
        machine=None,
        load=None,
        mode=AgentMode.ACTIVE,
        mode_by=None,
        mode_why=None,
        mode_at=None,
        first_seen_at=0,
        last_seen_at=0,
    )


def held(project: int = SHOP, *, from_fork: bool = False) -> Held:
    name = "shop" if project == SHOP else "web"
    return Held(None, (), Origin(project, from_fork), name, PROD)


ONLY = "not for the only agent (host) with its labels: agent host "


@pytest.mark.parametrize(
    ("job", "agent", "run", "words"),
    [
        (a_job("prod"), an_agent("prod", granted=("prod",)), held(), "about to be given to an agent"),
        (a_job(), an_agent("linux"), held(2, from_fork=True), "about to be given to an agent"),
        (
            a_job("prod"),
            an_agent("prod", granted=("prod",)),
            held(2),
            "label prod is protected: project web may not use it",
        ),
        (
            a_job("prod"),
            an_agent("prod", granted=("prod",)),
            held(from_fork=True),
            "label prod is protected: a run from a fork may not use it",
        ),
        (
            a_job("prod"),
            an_agent("prod"),
            held(),
            f"{ONLY}only says that it has label prod, which is protected: nobody gave it",
        ),
        (
            a_job(),
            an_agent("prod"),
            held(2),
            f"{ONLY}has label prod, which is protected: project web may not use it",
        ),
        (a_job(), an_agent(projects=(2,)), held(), f"{ONLY}takes no work of project shop"),
        (a_job(), an_agent(own=("web",)), held(), f"{ONLY}takes no work of project shop"),
    ],
)
def test_a_job_that_is_kept_back_says_why(job: JobView, agent: AgentView, run: Held, words: str) -> None:
    assert explain(job, [agent], run) == words


def test_an_agent_that_may_is_what_counts() -> None:
    """Whatever the others are for."""
    agents = [an_agent(projects=()), an_agent()]
    assert explain(a_job(), agents, held()) == "about to be given to an agent"
