"""Why a job waits, in words."""

from __future__ import annotations

from collections.abc import Sequence

from tailrace.domain.model import AgentView, JobView
from tailrace.domain.states import AgentMode, AttemptState, JobState


def explain(job: JobView, agents: Sequence[AgentView]) -> str | None:
    """What a waiting or pending job waits for; None for any other."""
    if job.state is JobState.WAITING:
        return f"waits for {', '.join(job.needs)}"
    if job.state is not JobState.PENDING:
        return None
    if job.attempts and job.attempts[-1].state is AttemptState.LEASED:
        return f"agent {job.agent} is starting it"
    if not agents:
        return "no agent is registered: start one with `tailrace agent`"
    able = [agent for agent in agents if set(job.labels) <= set(agent.labels)]
    if not able:
        missing = sorted(set(job.labels) - set().union(*(agent.labels for agent in agents)))
        if missing:
            return f"no agent has label {', '.join(missing)}"
        return f"no single agent has all of the labels {', '.join(job.labels)}"
    online = [agent for agent in able if agent.state == "online"]
    if not online:
        return f"offline: {_agents(able)} that could run it"
    active = [agent for agent in online if agent.mode is AgentMode.ACTIVE]
    if not active:
        held = online[0]
        why = f": {held.mode_why}" if held.mode_why else ""
        return f"{held.mode} by {held.mode_by}{why}: {_agents(online)} that could run it"
    online = active
    if all(agent.busy >= agent.capacity for agent in online):
        return f"busy: {_agents(online)} that could run it"
    return "about to be given to an agent"


def _agents(agents: Sequence[AgentView]) -> str:
    return f"the only agent ({agents[0].name})" if len(agents) == 1 else f"all {len(agents)} agents"
