"""The tables of tries at jobs: the queue is those that are pending."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    literal_column,
    text,
)

from tailrace.domain.states import ATTEMPT_ENDED, AttemptState, StepState
from tailrace.store.columns import Id, Ms, among, ends, metadata, reference, row_id

attempt = Table(
    "attempt",
    metadata,
    row_id(),
    reference("run_id", "run", nullable=False),
    reference("job_id", "job", nullable=False),
    Column("number", Integer, nullable=False),
    reference("log_id", "log", nullable=False, unique=True),
    Column("cookie", String(32), nullable=False),
    Column(
        "labels",
        Text,
        nullable=False,
        comment="the job's labels, sorted, a line each: equal sets are equal text",
    ),
    Column("project_id", Id, comment="its run's, so that the queue's index can name it"),
    Column(
        "rank",
        Integer,
        nullable=False,
        server_default="0",
        comment="its run's priority, negated: the queue begins with the least",
    ),
    Column("from_fork", Boolean, nullable=False, server_default=false(), comment="as its run's"),
    Column("state", String(10), nullable=False),
    Column("reason", String(60)),
    Column("detail", Text),
    Column("exit_code", Integer),
    reference("agent_id", "agent"),
    Column("abort_by", Text, comment="who asked for its end, while it has not ended"),
    Column("aborts", Integer, nullable=False, server_default="0", comment="how often its end was asked for"),
    Column("outputs", JSON, comment="what it gave to jobs that need its own"),
    Column("stalled", Text, comment="why its output stands still; null: it does not"),
    Column("lease_until", Ms),
    Column("start_by", Ms, comment="when it fails unless an agent has it; null: it may wait for ever"),
    Column("created_at", Ms, nullable=False),
    Column("leased_at", Ms),
    Column("started_at", Ms),
    Column("finished_at", Ms),
    CheckConstraint(among("state", AttemptState), name="state"),
    ends("finished_at", ATTEMPT_ENDED),
    CheckConstraint("(lease_until IS NOT NULL) = (state IN ('leased', 'running'))", name="lease"),
    CheckConstraint("state NOT IN ('leased', 'running') OR agent_id IS NOT NULL", name="agent"),
    UniqueConstraint("job_id", "number"),
    Index(None, "run_id"),
    Index(
        "ix_attempt_queue",
        "labels",
        "rank",
        "project_id",
        "from_fork",
        "id",
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
    Index(
        "ix_attempt_held",
        "agent_id",
        "id",
        sqlite_where=text("lease_until IS NOT NULL"),
        postgresql_where=text("lease_until IS NOT NULL"),
    ),
    Index(
        "ix_attempt_lease",
        "lease_until",
        sqlite_where=text("lease_until IS NOT NULL"),
        postgresql_where=text("lease_until IS NOT NULL"),
    ),
    Index(
        "ix_attempt_start_by",
        "start_by",
        sqlite_where=text("state = 'pending' AND start_by IS NOT NULL"),
        postgresql_where=text("state = 'pending' AND start_by IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)

step = Table(
    "step",
    metadata,
    reference("attempt_id", "attempt", primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("state", String(10), nullable=False),
    Column("exit_code", Integer),
    Column("began_at", Ms),
    Column("ended_at", Ms),
    CheckConstraint(among("state", StepState), name="state"),
    sqlite_with_rowid=False,
)

pause = Table(
    "pause",
    metadata,
    Column("scope", String(40), primary_key=True, comment="queue, or project/ID"),
    Column("by", Text, nullable=False),
    Column("why", Text),
    Column("at", Ms, nullable=False),
)

protected_label = Table(
    "protected_label",
    metadata,
    Column("name", String(100), primary_key=True),
    Column(
        "projects", JSON, nullable=False, comment="ids of those whose runs may use it; runs from forks never"
    ),
    Column("by", Text, nullable=False),
    Column("why", Text),
    Column("at", Ms, nullable=False),
)

# In these words, because SQLite uses no partial index for a condition in which a state is a parameter.
attempt_pending = attempt.c.state == literal_column("'pending'")
attempt_may_be_late = attempt_pending & attempt.c.start_by.is_not(None)
attempt_held = attempt.c.lease_until.is_not(None)  # leased or running, says a CHECK
