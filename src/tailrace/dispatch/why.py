"""Why a job waits, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from tailrace.domain.model import AgentView, JobView, iso_time
from tailrace.domain.states import AgentMode, AttemptState, JobState
from tailrace.domain.trust import Origin, Protected, open_to
from tailrace.store.asking import open_approvals
from tailrace.store.job_turns import FullMatrix, JobTurn, full_matrices, job_turns
from tailrace.store.outputs import ended_jobs
from tailrace.store.pauses import QUEUE, Pause, list_pauses
from tailrace.store.protected import who_may
from tailrace.store.run_names import run_names
from tailrace.store.runs import summaries
from tailrace.store.turns import Turn, turn_of


class Held(NamedTuple):
    """What may keep a job back that its agents cannot tell of: its run's turn (`holders`: the names of the runs that it waits
    for), pauses that concern it, trust, approvals that are asked for (ids, by the job's id; None: for the whole run), which
    of its run's jobs have `ended`, the turns of its jobs and the matrices that are full (both by the job's id)."""

    turn: Turn | None
    pauses: Sequence[Pause]
    origin: Origin
    project: str
    protected: Protected
    approvals: Mapping[int | None, int] = {}
    ended: frozenset[str] = frozenset()
    holders: Sequence[str] = ()
    job_turns: Mapping[int, JobTurn] = {}
    full: Mapping[int, FullMatrix] = {}


def what_holds(connection: Connection, run_id: int) -> Held:
    """For jobs of this run."""
    (run,) = summaries(connection, [run_id])
    scopes = (QUEUE, f"project/{run.project}")
    pauses = [one for one in list_pauses(connection) if one.scope in scopes]
    origin = Origin(run.project, run.from_fork)
    turn = turn_of(connection, run_id)
    return Held(
        turn,
        pauses,
        origin,
        run.project_name,
        who_may(connection),
        open_approvals(connection, run_id),
        ended_jobs(connection, run_id),
        run_names(connection, turn.holders) if turn else (),
        job_turns(connection, run_id),
        full_matrices(connection, run_id),
    )


def explain(job: JobView, agents: Sequence[AgentView], held: Held) -> str | None:
    """What a waiting or pending job waits for; None for any other."""
    if job.state is JobState.WAITING and None in held.approvals:
        return f"its commit comes from a fork: it waits for approval {held.approvals[None]}"
    if job.state is JobState.WAITING and job.id in held.approvals:
        return f"waits for approval {held.approvals[job.id]} to use environment {job.environment}"
    if job.state is JobState.WAITING and held.turn is not None:
        runs = ", ".join(held.holders)
        return f"waits for its turn in concurrency group {held.turn.group!r}, held by run {runs}"
    if job.state is JobState.WAITING and job.id in held.job_turns:
        turn = held.job_turns[job.id]
        return f"waits for its turn in concurrency group {turn.group!r}, held by {turn.holder}"
    if job.state is JobState.WAITING:
        needs = [need for need in job.needs if need not in held.ended]
        if needs:
            return f"waits for {', '.join(needs)}"
        if job.id in held.full:
            full = held.full[job.id]
            return f"max_parallel: {full.most} of the jobs of matrix {full.matrix} are under way"
        return "about to be put into the queue"
    if job.state is not JobState.PENDING:
        return None
    if job.retry_at is not None:
        return f"attempt {len(job.attempts) + 1} follows at {iso_time(job.retry_at)}, after the delay of its retry"
    if job.attempts and job.attempts[-1].state is AttemptState.LEASED:
        return f"agent {job.agent} is starting it"
    for pause in held.pauses:
        what = "the queue" if pause.scope == QUEUE else "its project"
        return f"{what} is paused by {pause.by}{f': {pause.why}' if pause.why else ''}"
    if not agents:
        return "no agent is registered: start one with `tailrace agent`"
    able = [agent for agent in agents if set(job.labels) <= set(agent.labels)]
    if not able:
        missing = sorted(set(job.labels) - set().union(*(agent.labels for agent in agents)))
        if missing:
            return f"no agent has label {', '.join(missing)}"
        return f"no single agent has all of the labels {', '.join(job.labels)}"
    for label in job.labels:
        if label in held.protected and not open_to(held.origin, held.protected[label]):
            return f"label {label} is protected: {_who(held)} may not use it"
    distrust = [_distrust(agent, job, held) for agent in able]
    if all(distrust):
        return f"not for {_agents(able)} with its labels: agent {able[0].name} {distrust[0]}"
    able = [agent for agent, why in zip(able, distrust, strict=True) if why is None]
    online = [agent for agent in able if agent.state == "online"]
    if not online:
        return f"offline: {_agents(able)} that could run it"
    active = [agent for agent in online if agent.mode is AgentMode.ACTIVE]
    if not active:
        first = online[0]
        why = f": {first.mode_why}" if first.mode_why else ""
        return f"{first.mode} by {first.mode_by}{why}: {_agents(online)} that could run it"
    online = active
    if all(agent.busy >= agent.capacity for agent in online):
        return f"busy: {_agents(online)} that could run it"
    return "about to be given to an agent"


def _distrust(agent: AgentView, job: JobView, held: Held) -> str | None:
    """Why an agent that has the job's labels may not take it."""
    who = _who(held)
    listed = agent.projects is None or held.origin.project in agent.projects
    if not listed or (agent.own_projects is not None and held.project not in agent.own_projects):
        return f"takes no work of project {held.project}"
    for label in agent.labels:
        if label in held.protected and not open_to(held.origin, held.protected[label]):
            return f"has label {label}, which is protected: {who} may not use it"
    for label in job.labels:
        if label in held.protected and label not in agent.granted_labels:
            return f"only says that it has label {label}, which is protected: nobody gave it"
    return None


def _who(held: Held) -> str:
    return "a run from a fork" if held.origin.from_fork else f"project {held.project}"


def _agents(agents: Sequence[AgentView]) -> str:
    return f"the only agent ({agents[0].name})" if len(agents) == 1 else f"all {len(agents)} agents"
