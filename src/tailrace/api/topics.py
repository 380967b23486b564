"""What the page's lists show: loaded once for all who watch, encoded once."""

from __future__ import annotations

from itertools import islice
from typing import ClassVar

import orjson
from sqlalchemy import Connection

from tailrace.api.runs import Runs
from tailrace.domain.approvals import ApprovalState
from tailrace.domain.errors import NotFound
from tailrace.domain.model import RunView
from tailrace.live.scopes import AGENTS, APPROVALS, RUNS
from tailrace.live.topics import Follows
from tailrace.store import Store
from tailrace.store.agents import list_agents
from tailrace.store.approvals import ApprovalFilter, count_open, list_approvals
from tailrace.store.runs import RunFilter, list_runs, summaries

NEWEST = 50
MOST_OUTPUTS = 20
MOST_CHARACTERS = 200
"""Of a job's outputs, how many the page gets, and how much of each: they may be 256 KiB, and come again with each change."""


class Topics:
    """The loader behind the topics `runs`, `run/ID`, `agents` and `approvals`."""

    FOLLOWS: ClassVar = {APPROVALS: Follows(RUNS, rest_s=0.5)}
    """Runs change far more often than what people are asked."""

    def __init__(self, store: Store, runs: Runs, lease_ms: int) -> None:
        self._store = store
        self._runs = runs
        self._lease_ms = lease_ms

    async def load(self, topic: str, changed: frozenset[int] | None) -> bytes | None:
        """A frame with the topic's state, or with the rows in `changed` alone; None for a topic that is not there."""
        if topic == RUNS:
            found = await (
                self._store.read(list_runs, RunFilter(limit=NEWEST))
                if changed is None
                else self._store.read(summaries, changed)
            )
            return _frame(topic, "items", [run.model_dump(mode="json") for run in found])
        if topic == AGENTS:
            agents = await self._store.read(list_agents, self._lease_ms)
            return _frame(topic, "items", [agent.model_dump(mode="json") for agent in agents])
        if topic == APPROVALS:
            return await self._store.read(_waiting)
        kind, _, id = topic.partition("/")
        if kind != "run" or not id.isdecimal():
            return None
        try:
            run = await self._runs.show(int(id))
        except NotFound:
            return None
        return _frame(topic, "run", _brief(run).model_dump(mode="json"))


def _waiting(connection: Connection) -> bytes:
    """What people are asked: how much in all, and the newest of it."""
    found = list_approvals(connection, ApprovalFilter(state=ApprovalState.OPEN, limit=NEWEST))
    items = [one.model_dump(mode="json") for one in found]
    count = count_open(connection) if len(found) == NEWEST else len(found)
    return orjson.dumps({"topic": APPROVALS, "items": items, "open": count})


def _brief(run: RunView) -> RunView:
    """The run with no more of its jobs' outputs than a page shows."""
    jobs = tuple(
        job.model_copy(
            update={
                "attempts": tuple(
                    attempt.model_copy(update={"outputs": _first_of(attempt.outputs)})
                    for attempt in job.attempts
                )
            }
        )
        for job in run.jobs
    )
    return run.model_copy(update={"jobs": jobs})


def _first_of(outputs: dict[str, str]) -> dict[str, str]:
    return {
        name: value if len(value) <= MOST_CHARACTERS else f"{value[:MOST_CHARACTERS]}…"
        for name, value in islice(outputs.items(), MOST_OUTPUTS)
    }


def _frame(topic: str, name: str, value: object) -> bytes:
    return orjson.dumps({"topic": topic, name: value})
