"""Who is next: pending attempts by priority, then so that projects share fairly, then by age."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple

from sqlalchemy import BigInteger, Boolean, Column, Connection, Integer, Text, bindparam, func, select, text

from tailrace.domain.trust import Origin, Protected, Taker
from tailrace.store.pauses import paused_scopes
from tailrace.store.protected import who_may
from tailrace.store.tables import attempt as attempts
from tailrace.store.tables import attempt_held, attempt_pending


class Line(NamedTuple):
    """The pending attempts of one project with one set of labels and one rank, from forks or not; `head` is the oldest."""

    labels: str
    rank: int
    project: int
    from_fork: bool
    head: int

    @property
    def words(self) -> list[str]:
        """The labels one by one."""
        return self.labels.split("\n") if self.labels else []

    @property
    def origin(self) -> Origin:
        """Where its attempts come from."""
        return Origin(self.project, self.from_fork)


# Each step of the recursion jumps to the next line in the index: its cost is the number of lines, not of attempts. One
# comparison of all four columns would say the same, but SQLite reads every equal row for it.
_KEY = ("labels", "rank", "project_id", "from_fork")
_KEYS = ", ".join(_KEY)
_FIRST = f"SELECT id FROM attempt WHERE state = 'pending' ORDER BY {_KEYS}, id LIMIT 1"  # noqa: S608


def _next(equal: int) -> str:
    """The first row behind the line that is equal to it in so many columns, and no more."""
    same = "".join(f" AND {column} = line.{column}" for column in _KEY[:equal])
    order = ", ".join((*_KEY[equal:], "id"))
    larger = f" AND {_KEY[equal]} > line.{_KEY[equal]}"
    return f"(SELECT id FROM attempt WHERE state = 'pending'{same}{larger} ORDER BY {order} LIMIT 1)"  # noqa: S608


LINES = text(
    f"""
    WITH RECURSIVE line(id, {_KEYS}) AS (
        SELECT id, {_KEYS} FROM attempt WHERE id = ({_FIRST})
        UNION ALL
        SELECT attempt.id, attempt.labels, attempt.rank, attempt.project_id, attempt.from_fork
        FROM line JOIN attempt ON attempt.id = COALESCE({_next(3)}, {_next(2)}, {_next(1)}, {_next(0)})
    )
    SELECT {_KEYS}, id FROM line
    """  # noqa: S608 -- of constants alone
).columns(
    Column("labels", Text),
    Column("rank", Integer),
    Column("project_id", BigInteger),
    Column("from_fork", Boolean),
    Column("id", BigInteger),
)
_IN_LINE = (
    select(attempts.c.id)
    .where(
        attempt_pending,
        attempts.c.labels == bindparam("labels"),
        attempts.c.rank == bindparam("rank"),
        attempts.c.project_id == bindparam("project"),
        attempts.c.from_fork == bindparam("from_fork"),
        attempts.c.id.not_in(bindparam("without", expanding=True)),
    )
    .order_by(attempts.c.id)
    .limit(bindparam("room"))
)
_HELD = select(attempts.c.project_id, func.count()).where(attempt_held).group_by(attempts.c.project_id)


def choose(
    connection: Connection, agents: Mapping[int, Taker], room: dict[int, int], without: Set[int]
) -> dict[int, int]:
    """The attempts to take now, each with its agent: one that may take it, and of those the one with the most room.

    `room` is how many each agent could take (and is used up), `without` are attempts that somebody else is about to take.
    Paused lines wait.
    """
    paused = paused_scopes(connection)
    if "queue" in paused:
        return {}
    lines = [Line(*row) for row in connection.execute(LINES) if f"project/{row.project_id}" not in paused]
    fits = _fits(lines, agents, who_may(connection))
    lines = [line for line in lines if fits[line]]
    held: dict[int, int] = {}
    if len({line.project for line in lines}) > 1:
        held = {row[0]: row[1] for row in connection.execute(_HELD)}
    chosen: dict[int, int] = {}
    for rank in sorted({line.rank for line in lines}):
        level = [_Waiting(connection, line, fits[line], without) for line in lines if line.rank == rank]
        _share(level, room, held, chosen)
    return chosen


def _fits(lines: Sequence[Line], agents: Mapping[int, Taker], protected: Protected) -> dict[Line, list[int]]:
    """Which agents may take from each line. Most agents take from any project: only the others are asked for each."""
    able = {
        line.labels: [id for id, taker in agents.items() if taker.may_use(line.words, protected)]
        for line in lines
    }
    choosy = {
        id
        for id, taker in agents.items()
        if taker.projects is not None or not taker.labels.isdisjoint(protected)
    }
    if not choosy:
        return {line: able[line.labels] for line in lines}
    refusing = {
        origin: {id for id in choosy if not agents[id].trusts(origin, protected)}
        for origin in {line.origin for line in lines}
    }
    return {line: [id for id in able[line.labels] if id not in refusing[line.origin]] for line in lines}


class _Waiting:
    """A line while it is chosen from; its attempts are read when the first of it is wanted."""

    def __init__(self, connection: Connection, line: Line, agents: Sequence[int], without: Set[int]) -> None:
        self.line = line
        self.agents = agents
        self._connection = connection
        self._without = without
        self._ids: list[int] | None = None

    def next(self, room: Mapping[int, int]) -> int | None:
        """The oldest that was not chosen yet."""
        if self._ids is None:
            wanted = {
                "labels": self.line.labels,
                "rank": self.line.rank,
                "project": self.line.project,
                "from_fork": self.line.from_fork,
                "without": list(self._without),
                "room": sum(room[agent] for agent in self.agents),
            }
            self._ids = list(self._connection.execute(_IN_LINE, wanted).scalars())[::-1]
        return self._ids.pop() if self._ids else None


def _share(level: list[_Waiting], room: dict[int, int], held: dict[int, int], chosen: dict[int, int]) -> None:
    """Choose from lines of one rank until there is no room or nobody waits: the project that has least goes first."""
    while level:
        level = [one for one in level if any(room[agent] > 0 for agent in one.agents)]
        if not level:
            return
        first = min(level, key=lambda one: (held.get(one.line.project, 0), one.line.head))
        attempt = first.next(room)
        if attempt is None:
            level.remove(first)
            continue
        agent = max(first.agents, key=lambda agent: room[agent])
        room[agent] -= 1
        chosen[attempt] = agent
        held[first.line.project] = held.get(first.line.project, 0) + 1
