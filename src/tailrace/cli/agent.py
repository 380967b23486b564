"""`tailrace agent`, `tailrace agents`, `tailrace agent-token`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tailrace.cli.client import connect, show


def agent(
    *,
    server: str | None = None,
    token: Annotated[str | None, Parameter(name=["--token"], allow_leading_hyphen=True)] = None,
    name: str | None = None,
    labels: str | None = None,
    capacity: int | None = None,
    data_dir: Path | None = None,
    log_level: str | None = None,
    follow_parent: Annotated[bool, Parameter(show=False)] = False,
) -> int:
    """Run an agent: it connects to the server and executes jobs.

    SIGINT (Ctrl-C) aborts its jobs; SIGTERM detaches: the jobs go on, and the next agent takes them up.

    Parameters
    ----------
    server:
        The server's address (TAILRACE_SERVER; http://127.0.0.1:8000).
    token:
        A registration token, needed once; `-` reads it from standard input (TAILRACE_AGENT_TOKEN).
    name:
        The agent's name (TAILRACE_AGENT_NAME; the machine's name).
    labels:
        More labels, separated by commas (TAILRACE_LABELS).
    capacity:
        How many attempts at once (TAILRACE_CAPACITY; the number of processors).
    data_dir:
        The agent's folder is `agent` in it (TAILRACE_DATA_DIR; .tailrace).
    log_level:
        debug, info, warning or error (TAILRACE_LOG_LEVEL; info).
    """
    from tailrace.agent.labels import machine_labels
    from tailrace.agent.run import AgentConfig, run_agent
    from tailrace.cli.messages import configure_messages
    from tailrace.settings import load_agent

    settings = load_agent(
        server=server,
        agent_token=token,
        agent_name=name,
        labels=labels,
        capacity=capacity,
        data_dir=data_dir,
        log_level=log_level,
    )
    configure_messages(settings.log_level)
    given = settings.agent_token
    config = AgentConfig(
        folder=settings.data_dir / "agent",
        server_url=settings.server,
        name=settings.agent_name,
        token=sys.stdin.readline().strip() if given == "-" else given,
        labels=tuple(sorted({*machine_labels(), *settings.labels})),
        capacity=settings.capacity,
        follow_parent=follow_parent,
    )
    return asyncio.run(run_agent(config))


def agents(
    *, json: bool = False, server: str | None = None, token: str | None = None, data_dir: Path | None = None
) -> int:
    """List the agents."""
    found = connect(server, token, data_dir).get("/api/agents")["items"]
    columns = {
        "ID": "id",
        "NAME": "name",
        "STATE": "state",
        "BUSY": "busy",
        "CAPACITY": "capacity",
        "LABELS": "labels",
    }
    show(found, as_json=json, columns=columns)
    return 0


def agent_token(*, server: str | None = None, token: str | None = None, data_dir: Path | None = None) -> int:
    """Print a new registration token: it can be used once, within a day."""
    print(connect(server, token, data_dir).post("/api/agent-tokens")["token"])
    return 0
