"""SQL refuses what the table refuses: every machine, every state, every verb."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import pytest
from sqlalchemy import Connection, Table, insert, select, update
from sqlalchemy.exc import IntegrityError

from tailrace.domain.errors import MoveRefused, NotFound
from tailrace.domain.states import (
    ATTEMPT,
    ATTEMPT_ENDED,
    JOB,
    JOB_ENDED,
    LOG,
    RUN,
    RUN_ENDED,
    AttemptState,
    JobState,
    LogState,
    Machine,
    RunState,
)
from tailrace.store.moves import move, move_all
from tailrace.store.tables import attempt, job, log, run
from tests.unit.store.conftest import attempt_at
from tests.unit.store.world import a_run, an_agent

MACHINES: list[tuple[Machine[Any], Table, type[StrEnum]]] = [
    (ATTEMPT, attempt, AttemptState),
    (JOB, job, JobState),
    (RUN, run, RunState),
    (LOG, log, LogState),
]
each_machine = pytest.mark.parametrize(
    ("machine", "table", "states"), MACHINES, ids=[machine.name for machine, _, _ in MACHINES]
)


def fitting(connection: Connection, table: Table, state: str, agent_id: int) -> dict[str, Any]:
    """What a row's other columns must be in `state`."""
    if table is log:
        ended = state != LogState.OPEN
        return {"closed_at": 1 if ended else None, "size": 0 if ended else None}
    ended = state in {run: RUN_ENDED, job: JOB_ENDED, attempt: ATTEMPT_ENDED}[table]
    values: dict[str, Any] = {"finished_at": 1 if ended else None}
    if table is attempt:
        held = state in (AttemptState.LEASED, AttemptState.RUNNING)
        values |= {"lease_until": 1 if held else None, "agent_id": agent_id if held or ended else None}
    return values


def _row(connection: Connection, table: Table) -> int:
    a_run(connection)
    return connection.execute(select(table.c.id).order_by(table.c.id.desc()).limit(1)).scalar_one()


@each_machine
def test_every_pair_of_state_and_verb(
    connection: Connection, machine: Machine[Any], table: Table, states: type[StrEnum]
) -> None:
    id, agent = _row(connection, table), an_agent(connection)
    verbs = sorted({verb for _, verb in machine.moves})
    for state in states:
        for verb in verbs:
            here = fitting(connection, table, state, agent)
            connection.execute(update(table).where(table.c.id == id).values(state=state, **here))
            before = connection.execute(select(table).where(table.c.id == id)).one()
            target = machine.target(verb)
            there = fitting(connection, table, target, agent)
            if (state, verb) in machine.moves:
                move(connection, table, machine, id, verb, **there)
                after = connection.execute(select(table.c.state).where(table.c.id == id)).scalar_one()
                assert after == machine.after(state, verb)
            else:
                with pytest.raises(MoveRefused) as refused:
                    move(connection, table, machine, id, verb, **there)
                assert refused.value.subject == f"{table.name} {id}"
                assert (refused.value.state, refused.value.verb) == (state, verb)
                assert connection.execute(select(table).where(table.c.id == id)).one() == before


@each_machine
def test_a_row_at_its_end_has_its_end_time_and_no_other_has(
    connection: Connection, machine: Machine[Any], table: Table, states: type[StrEnum]
) -> None:
    """Also what keeps a lease with its states, and a size with a log that ended."""
    id, agent = _row(connection, table), an_agent(connection)
    for state in states:
        right = fitting(connection, table, state, agent)
        connection.execute(update(table).where(table.c.id == id).values(state=state, **right))
        for column in set(right) - {"agent_id"}:
            wrong = right | {column: None if right[column] is not None else 1}
            with pytest.raises(IntegrityError, match=r"(?i)check"), attempt_at(connection):
                connection.execute(update(table).where(table.c.id == id).values(**wrong))


@each_machine
def test_a_state_that_is_none_is_refused(
    connection: Connection, machine: Machine[Any], table: Table, states: type[StrEnum]
) -> None:
    id = _row(connection, table)
    with pytest.raises(IntegrityError, match=r"(?i)check"), attempt_at(connection):
        connection.execute(update(table).where(table.c.id == id).values(state="sleeping"))


def test_an_attempt_is_not_held_by_nobody(connection: Connection) -> None:
    id = _row(connection, attempt)
    for state in (AttemptState.LEASED, AttemptState.RUNNING):
        with pytest.raises(IntegrityError, match=r"(?i)check"), attempt_at(connection):
            connection.execute(update(attempt).where(attempt.c.id == id).values(state=state, lease_until=1))


def test_the_move_of_a_row_that_is_not_there_is_not_found(connection: Connection) -> None:
    with pytest.raises(NotFound, match="there is no log 1000000000"):
        move(connection, log, LOG, 10**9, "close", size=0, closed_at=1)


def test_of_many_rows_those_move_whose_state_allows_it(connection: Connection) -> None:
    ids = [
        connection.execute(
            insert(log)
            .values(state=state, created_at=1, **fitting(connection, log, state, 0))
            .returning(log.c.id)
        ).scalar_one()
        for state in (LogState.OPEN, LogState.CLOSED, LogState.OPEN)
    ]
    assert move_all(connection, log, LOG, ids, "close", size=0, closed_at=1) == [ids[0], ids[2]]
    assert move_all(connection, log, LOG, ids, "close", size=0, closed_at=1) == []
    assert move_all(connection, log, LOG, [], "close", size=0, closed_at=1) == []
