"""Leases that are too large to be handed over: an agent's connection would end with each of them, and all its work with it."""

from __future__ import annotations

from sqlalchemy import Connection, select

from tailrace.domain.lease import Lease
from tailrace.domain.outcome import Reason
from tailrace.domain.states import ATTEMPT, LOG, AttemptState
from tailrace.store.clock import read_clock
from tailrace.store.jobs import end_job, lock_run
from tailrace.store.leases import Ended
from tailrace.store.moves import move, move_all
from tailrace.store.tables import attempt as attempts
from tailrace.store.tables import log as logs

MOST_LEASE_BYTES = 8 * 1024 * 1024
"""As JSON. Agents take messages of 16 MiB; beside the lease there are the job's secrets."""


def is_oversize(lease: Lease) -> bool:
    """Whether no agent could be given it."""
    return _bytes_of(lease) > MOST_LEASE_BYTES


def end_oversize(connection: Connection, lease: Lease) -> Ended | None:
    """End the leased attempt, and its job, as `setup_failed`; it is not tried again. None when it is not leased any more."""
    lock_run(connection, lease.run)
    row = connection.execute(
        select(attempts)
        .where(attempts.c.id == lease.attempt, attempts.c.cookie == lease.cookie)
        .with_for_update()
    ).one()
    if row.state != AttemptState.LEASED:
        return None
    now = read_clock(connection)
    cause = {"reason": Reason.SETUP_FAILED, "detail": _in_words(lease), "finished_at": now}
    free = {"agent_id": None, "leased_at": None, "lease_until": None}
    move(connection, attempts, ATTEMPT, row.id, "expire", **free)
    move(connection, attempts, ATTEMPT, row.id, "give_up", **cause)
    move_all(connection, logs, LOG, [row.log_id], "close", size=0, closed_at=now)
    return Ended(lease.run, end_job(connection, row, "give_up", cause))


def _bytes_of(lease: Lease) -> int:
    return len(lease.__pydantic_serializer__.to_json(lease))


def _in_words(lease: Lease) -> str:
    """What is too large, and which part of it most of all."""
    job = lease.job.model_copy(update={"variables": {}, "outputs": {}, "steps": (), "finally_steps": ()})
    whole = _bytes_of(lease)
    parts = {
        "the variables of its run": whole - _bytes_of(lease.model_copy(update={"variables": {}})),
        "outputs of jobs that it needs": whole - _bytes_of(lease.model_copy(update={"needs": {}})),
        "its own variables and steps": whole - _bytes_of(lease.model_copy(update={"job": job})),
    }
    most = max(parts, key=parts.__getitem__)
    return (
        f"the job has {whole / 2**20:.1f} MiB of text, and an agent can be given {MOST_LEASE_BYTES // 2**20};"
        f" {parts[most] / 2**20:.1f} of them are {most}: keep that in a file or an artifact"
    )
