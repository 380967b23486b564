"""Ending runs before their time, and what agents have to end for it."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, select

from tailrace.domain.errors import MoveRefused
from tailrace.domain.outcome import Reason
from tailrace.domain.states import RUN, RUN_ENDED, RunState
from tailrace.store.clock import now_ms
from tailrace.store.early_ends import end_early, in_words
from tailrace.store.jobs import advance_run, lock_run
from tailrace.store.moves import move
from tailrace.store.outbox import note_end
from tailrace.store.tables import attempt as attempts
from tailrace.store.tables import attempt_held
from tailrace.store.tables import run as runs


class ToAbort(NamedTuple):
    """An attempt that its agent has to end, on whose word, and how often that was said."""

    attempt_id: int
    by: str
    times: int


def abort_run(connection: Connection, run_id: int, by: str, reason: Reason = Reason.ABORTED_BY) -> list[int]:
    """End what has not begun and ask for the end of what has; returns the agents that have to be told.

    `reason` is `aborted_by`, `superseded_by` or `rejected`; asking again ends the steps of `finally`, superseding again does
    not. Raises NotFound, and MoveRefused when the run has ended already.
    """
    state = lock_run(connection, run_id)
    if state in RUN_ENDED:
        raise MoveRefused(f"run {run_id}", state, "abort")
    if state is RunState.PLANNING:
        cause = {"reason": reason.value, "detail": in_words(reason, by), "finished_at": now_ms()}
        move(connection, runs, RUN, run_id, "abort", **cause)
        note_end(connection, run_id, RunState.ABORTED)
        return []
    agents = end_early(connection, run_id, by, reason)
    advance_run(connection, run_id)
    return agents


_TO_TELL = select(attempts.c.agent_id).where(attempt_held, attempts.c.abort_by.is_not(None)).distinct()


def agents_to_tell(connection: Connection) -> list[int]:
    """The agents that have something to end."""
    return [agent for agent in connection.execute(_TO_TELL).scalars() if agent is not None]


def attempts_to_abort(connection: Connection, agent_id: int) -> list[ToAbort]:
    """What this agent has to end."""
    rows = connection.execute(
        select(attempts.c.id, attempts.c.abort_by, attempts.c.aborts).where(
            attempts.c.agent_id == agent_id, attempt_held, attempts.c.abort_by.is_not(None)
        )
    )
    return [ToAbort(row.id, row.abort_by, row.aborts) for row in rows]
