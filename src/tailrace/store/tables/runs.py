"""The tables of runs and their jobs."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    literal_column,
    text,
)

from tailrace.domain.states import JOB_ENDED, RUN_ENDED, JobState, RunState
from tailrace.store.columns import Id, Ms, among, ends, metadata, reference, row_id

run = Table(
    "run",
    metadata,
    row_id(),
    Column("number", BigInteger, nullable=False),
    reference("project_id", "project", nullable=False),
    reference("plan_id", "plan", nullable=False),
    reference("plan_version_id", "plan_version"),
    reference("delivery_id", "delivery"),
    Column("trigger_id", Id, comment="null: no trigger did, a person asked for it"),
    Column("trigger_kind", String(20), nullable=False),
    Column("trigger_by", Text),
    Column("trigger_event", String(20), nullable=False),
    Column("ref", Text),
    Column("branch", Text),
    Column("revision", Text),
    Column("title", Text),
    Column("author", Text),
    Column("variables", JSON, nullable=False),
    Column(
        "event",
        JSON(none_as_null=True),
        comment="what its plan's `on` is asked about; null once that is done",
    ),
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("concurrency", Text, comment="the group in which it takes its turn"),
    Column("turns", Integer, comment="how many runs of its group may be under way at once"),
    Column("place", BigInteger, comment="its place in its group: behind all that had not ended when it came"),
    Column(
        "from_fork", Boolean, nullable=False, server_default=false(), comment="its commit is a stranger's"
    ),
    Column("state", String(10), nullable=False),
    Column("reason", String(60)),
    Column("detail", Text),
    Column("claimed_until", Ms, comment="a server plans it until then"),
    Column("claimed_by", String(32), comment="that server; null: none may before then"),
    Column("tries", Integer, nullable=False, server_default="0", comment="to read its repository, in vain"),
    Column("troubled_at", Ms, comment="when its repository could not be read for the first time"),
    Column("created_at", Ms, nullable=False),
    Column("started_at", Ms),
    Column("finished_at", Ms),
    CheckConstraint(among("state", RunState), name="state"),
    ends("finished_at", RUN_ENDED),
    UniqueConstraint("project_id", "number"),
    Index(
        "ix_run_planning",
        "id",
        sqlite_where=text("state = 'planning'"),
        postgresql_where=text("state = 'planning'"),
    ),
    Index(
        "ix_run_concurrency",
        "concurrency",
        "place",
        sqlite_where=text("concurrency IS NOT NULL AND finished_at IS NULL"),
        postgresql_where=text("concurrency IS NOT NULL AND finished_at IS NULL"),
    ),
    Index(None, "project_id", "id"),
    Index(None, "plan_id", "id"),
    Index(None, "state", "id"),
    Index(None, "branch", "id"),
    Index(None, "revision"),
    Index(None, "delivery_id"),
    Index(
        "ix_run_trigger",
        "trigger_id",
        "id",
        sqlite_where=text("trigger_id IS NOT NULL"),
        postgresql_where=text("trigger_id IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)

run_secret = Table(
    "run_secret",
    metadata,
    reference("run_id", "run", primary_key=True),
    Column("name", String(100), primary_key=True),
    Column("seal", String(32), nullable=False, comment="random: the row identity for which it was sealed"),
    Column("value", LargeBinary, nullable=False, comment="sealed"),
)

concurrency_group = Table(
    "concurrency_group",
    metadata,
    Column("name", Text, primary_key=True, comment="its row is locked by whoever gives a turn"),
)

job = Table(
    "job",
    metadata,
    row_id(),
    reference("run_id", "run", nullable=False),
    Column("position", Integer, nullable=False),
    Column("name", String(100), nullable=False),
    Column("spec", JSON, nullable=False),
    Column("state", String(10), nullable=False),
    Column("reason", String(60)),
    Column("detail", Text),
    Column("retry_at", Ms, comment="when its next attempt is queued; null: it is, or none"),
    Column("concurrency", Text, comment="the group in which it takes its turn, since it could begin"),
    Column("place", BigInteger, comment="its place in its group; null: it is not in line, or has ended"),
    Column("created_at", Ms, nullable=False),
    Column("started_at", Ms),
    Column("finished_at", Ms),
    CheckConstraint(among("state", JobState), name="state"),
    ends("finished_at", JOB_ENDED),
    UniqueConstraint("run_id", "name"),
    Index(
        "ix_job_retry_at",
        "retry_at",
        sqlite_where=text("retry_at IS NOT NULL"),
        postgresql_where=text("retry_at IS NOT NULL"),
    ),
    Index(
        "ix_job_concurrency",
        "concurrency",
        "place",
        sqlite_where=text("place IS NOT NULL"),
        postgresql_where=text("place IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)

# In these words, because SQLite uses no partial index for a condition in which a state is a parameter.
run_in_turn = run.c.concurrency.is_not(None) & run.c.finished_at.is_(None)
run_planning = run.c.state == literal_column("'planning'")
job_delayed = job.c.retry_at.is_not(None)
job_in_turn = job.c.place.is_not(None)
