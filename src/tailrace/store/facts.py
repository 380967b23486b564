"""Facts that runners recorded, applied: each may come again after a reconnect and then changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from tailrace.domain.errors import LeaseLost
from tailrace.domain.facts import Fact, Finished, Started, StepBegan, StepEnded
from tailrace.domain.outcome import Reason
from tailrace.domain.states import ATTEMPT, ATTEMPT_ENDED, JOB, AttemptState, LogState, StepState
from tailrace.store.clock import read_clock
from tailrace.store.early_ends import AUTOMATIC, in_words
from tailrace.store.jobs import advance_run, end_job, lock_run
from tailrace.store.leases import Ended
from tailrace.store.moves import move, move_all
from tailrace.store.tables import attempt as attempts
from tailrace.store.tables import job as jobs
from tailrace.store.tables import log as logs
from tailrace.store.tables import step as steps

_VERBS = {AttemptState.PASSED: "pass", AttemptState.FAILED: "fail", AttemptState.ABORTED: "abort"}


_RUN_OF = select(attempts.c.run_id).where(attempts.c.id == bindparam("attempt"))
_ATTEMPT = select(attempts).where(attempts.c.id == bindparam("attempt"))
_STEP = select(steps.c.position).where(
    steps.c.attempt_id == bindparam("attempt"), steps.c.position == bindparam("step")
)
_NEW_STEP = insert(steps)
_END_STEP = (
    update(steps)
    .where(
        steps.c.attempt_id == bindparam("attempt"),
        steps.c.position == bindparam("step"),
        steps.c.ended_at.is_(None),
    )
    .values(state=bindparam("to"), exit_code=bindparam("code"), ended_at=bindparam("at"))
)
_DROP = update(logs).where(logs.c.id == bindparam("log")).values(dropped=bindparam("bytes"))


def apply_facts(
    connection: Connection, agent_id: int, said: Sequence[tuple[int, Fact]]
) -> list[Ended | LeaseLost]:
    """Apply facts, each with its attempt, in their order and in one transaction; what `apply_fact` says of each."""
    found: list[Ended | LeaseLost] = []
    for attempt_id, fact in said:
        try:
            found.append(apply_fact(connection, agent_id, attempt_id, fact))
        except LeaseLost as lost:  # raised before anything is written
            found.append(lost)
    return found


def apply_fact(connection: Connection, agent_id: int, attempt_id: int, fact: Fact) -> Ended:
    """Apply a fact that `agent_id` sends about an attempt; raises LeaseLost when it does not hold it."""
    run_id = connection.execute(_RUN_OF, {"attempt": attempt_id}).scalar()
    if run_id is None:
        raise LeaseLost(attempt_id, "this server knows no such attempt")
    lock_run(connection, run_id)
    row = connection.execute(_ATTEMPT, {"attempt": attempt_id}).one()
    if row.agent_id != agent_id:
        raise LeaseLost(attempt_id, "its lease expired and it was taken from this agent")
    if row.state in ATTEMPT_ENDED:
        if row.reason == Reason.AGENT_LOST and _is_cut_off(connection, row.log_id):
            raise LeaseLost(attempt_id, "it ended as agent_lost when its lease expired")
        return Ended(run_id, False)
    # The runner's clock tells when it happened, also when the server was away; it may be wrong, so it is bounded.
    at = min(max(fact.time, row.started_at or row.leased_at), read_clock(connection))
    match fact:
        case Started():
            return Ended(run_id, _start(connection, row, at))
        case StepBegan():
            if not _step_known(connection, attempt_id, fact.step):
                _add_step(connection, attempt_id, fact, state=StepState.RUNNING, began_at=at)
        case StepEnded():
            if not _step_known(connection, attempt_id, fact.step):
                _add_step(connection, attempt_id, fact, state=fact.state)
            ended = {"to": fact.state, "code": fact.exit_code, "at": at}
            connection.execute(_END_STEP, {"attempt": attempt_id, "step": fact.step, **ended})
        case Finished():
            _start(connection, row, at)
            if fact.dropped:
                connection.execute(_DROP, {"log": row.log_id, "bytes": fact.dropped})
            return Ended(run_id, _finish(connection, row, fact, at))
    return Ended(run_id, False)


def _start(connection: Connection, row: Row[*tuple[object, ...]], at: int) -> bool:
    if not move_all(connection, attempts, ATTEMPT, [row.id], "start", started_at=at):
        return False
    move_all(connection, jobs, JOB, [row.job_id], "start", started_at=at)
    return advance_run(connection, row.run_id)


def _is_cut_off(connection: Connection, log_id: int) -> bool:
    """Whether the agent was lost, and did not say itself that its machine was restarted."""
    state = connection.execute(select(logs.c.state).where(logs.c.id == log_id)).scalar()
    return state in (LogState.TRUNCATED, LogState.REMOVED)


def _finish(connection: Connection, row: Row[*tuple[object, ...]], fact: Finished, at: int) -> bool:
    outcome = fact.outcome
    given = {"outputs": fact.outputs} if fact.outputs else {}
    verb = _VERBS[outcome.state]
    cause = {"reason": outcome.reason, "detail": outcome.detail, "finished_at": at}
    if outcome.reason == Reason.ABORTED_BY and row.reason in AUTOMATIC:
        cause |= {"reason": row.reason, "detail": in_words(Reason(row.reason), row.abort_by)}
    move(
        connection,
        attempts,
        ATTEMPT,
        row.id,
        verb,
        exit_code=outcome.exit_code,
        lease_until=None,
        stalled=None,
        **given,
        **cause,
    )
    return end_job(connection, row, verb, cause)


def _step_known(connection: Connection, attempt_id: int, position: int) -> bool:
    return connection.execute(_STEP, {"attempt": attempt_id, "step": position}).first() is not None


def _add_step(connection: Connection, attempt_id: int, fact: StepBegan | StepEnded, **values: object) -> None:
    row = {"attempt_id": attempt_id, "position": fact.step, "name": fact.name, **values}
    connection.execute(_NEW_STEP, row)
