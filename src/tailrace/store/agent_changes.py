"""What people wanted of agents: each change with who and why, for as long as the agent is known, and after."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Row, insert, select

from tailrace.domain.agent_changes import AgentChangeView, ChangePart, in_words, read_parts
from tailrace.domain.errors import NotFound
from tailrace.store.clock import now_ms
from tailrace.store.tables import agent as agents
from tailrace.store.tables import agent_change as changes

_NOTE = insert(changes).values(at=now_ms())


def note_change(
    connection: Connection, agent_id: int, parts: Sequence[ChangePart], by: str, why: str | None
) -> None:
    """Write a change down."""
    kept = [part.model_dump(mode="json") for part in parts]
    connection.execute(_NOTE, {"agent_id": agent_id, "what": "", "parts": kept, "by": by, "why": why})


def list_changes(
    connection: Connection, agent_id: int, *, before: int | None = None, limit: int = 50
) -> list[AgentChangeView]:
    """The newest changes of an agent, newest first, with ids below `before`. Raises NotFound."""
    if connection.execute(select(agents.c.id).where(agents.c.id == agent_id)).first() is None:
        raise NotFound("agent", agent_id)
    wanted = select(changes).where(changes.c.agent_id == agent_id)
    if before is not None:
        wanted = wanted.where(changes.c.id < before)
    rows = connection.execute(wanted.order_by(changes.c.id.desc()).limit(limit))
    return [_view(row) for row in rows]


def _view(row: Row[*tuple[object, ...]]) -> AgentChangeView:
    parts = None if row.parts is None else read_parts(row.parts)
    what = row.what if parts is None else in_words(parts)
    return AgentChangeView(id=row.id, what=what, parts=parts, by=row.by, why=row.why, at=row.at)
