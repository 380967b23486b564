"""`tailrace agent`, `tailrace agent-token`."""

from __future__ import annotations

import asyncio
import sys
from importlib import import_module
from json import dumps
from types import ModuleType
from typing import Annotated, cast

from cyclopts import Parameter

from tailrace.cli.client import connect
from tailrace.cli.flags import NO_AGENT_FLAGS, NO_CLIENT_FLAGS, AgentFlags, ClientFlags, given
from tailrace.cli.importing import for_good
from tailrace.cli.projects import find_projects


def agent(
    *, flags: AgentFlags = NO_AGENT_FLAGS, follow_parent: Annotated[bool, Parameter(show=False)] = False
) -> int:
    """Run an agent: it connects to the server and executes jobs.

    SIGINT (Ctrl-C) aborts its jobs; SIGTERM detaches: the jobs go on, and the next agent takes them up.
    """
    with for_good():
        _import_structlog()
        from tailrace.agent.labels import machine_labels
        from tailrace.agent.run import AgentConfig, run_agent
        from tailrace.cli.messages import configure_messages
        from tailrace.domain.plan.model import LimitsSpec
        from tailrace.prctl import hide_memory
        from tailrace.settings import load_agent

    hide_memory()
    settings = load_agent(**given(flags))
    configure_messages(settings.log_level)
    token = settings.agent_token
    config = AgentConfig(
        folder=settings.data_dir / "agent",
        server_url=settings.server,
        name=settings.agent_name,
        token=sys.stdin.readline().strip() if token == "-" else token,
        labels=tuple(sorted({*machine_labels(), *settings.labels})),
        capacity=1 if settings.once else settings.places,
        projects=settings.projects,
        mirror_days=settings.mirror_days,
        mirror_gib=settings.mirror_gib,
        limits=LimitsSpec(
            memory=settings.max_memory or None,
            processes=settings.max_processes or None,
            cpu=settings.max_cpu or None,
        ),
        job_users=settings.job_users,
        workspace_days=settings.workspace_days,
        workspace_gib=settings.workspace_gib,
        follow_parent=follow_parent,
        once=settings.once,
        idle_timeout_s=settings.idle_timeout,
        warm_service=settings.warm_service,
    )
    return asyncio.run(run_agent(config))


def _import_structlog() -> None:
    """Without rich, which it takes for traces that it is not asked to draw: megabytes of a process that is to be small."""
    known = sys.modules.get("rich")
    sys.modules["rich"] = cast(ModuleType, None)  # how an import is refused
    import_module("structlog")
    del sys.modules["rich"]
    if known is not None:
        sys.modules["rich"] = known


def agent_token(
    *,
    labels: str = "",
    projects: str | None = None,
    hours: float = 24,
    json: bool = False,
    flags: ClientFlags = NO_CLIENT_FLAGS,
) -> int:
    """Print a new registration token: it can be used once, within a day.

    Parameters
    ----------
    labels:
        Labels that the agent will have beside those of its machine, separated by commas.
    projects:
        The projects whose work it may take, by name or id, separated by commas; all projects if not given.
    hours:
        How long the token is good: a minute to 30 days.
    """
    client = connect(flags)
    body: dict[str, object] = {"labels": split_labels(labels), "life_s": round(hours * 3600)}
    if projects is not None:
        body["projects"] = find_projects(client, projects)
    made = client.post("/api/agent-tokens", body)
    print(dumps(made, indent=2) if json else made["token"])
    return 0


def split_labels(labels: str) -> list[str]:
    """What stands between the commas."""
    return [label.strip() for label in labels.split(",") if label.strip()]
