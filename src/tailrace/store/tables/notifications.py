"""The tables of what leaves: channels, rules, and the outbox."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
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
    literal_column,
    text,
    true,
)

from tailrace.domain.states import NOTIFICATION_ENDED, NotificationState
from tailrace.store.columns import Id, Ms, among, ends, metadata, reference, row_id
from tailrace.store.tables.runs import run

channel = Table(
    "channel",
    metadata,
    row_id(),
    reference("project_id", "project", comment="null: any project's rules may use it"),
    Column("name", String(100), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("settings", JSON, nullable=False),
    Column("secrets", LargeBinary, comment="sealed JSON: name to value"),
    Column("secret_names", JSON, nullable=False),
    Column("enabled", Boolean, nullable=False, server_default=true()),
    Column("author", Text, nullable=False),
    Column("created_at", Ms, nullable=False),
    Column("updated_at", Ms, nullable=False),
    Column("removed_at", Ms),
    Index(
        "uq_channel_name",
        "name",
        unique=True,
        sqlite_where=text("removed_at IS NULL"),
        postgresql_where=text("removed_at IS NULL"),
    ),
    Index(None, "project_id"),
    sqlite_autoincrement=True,
)

rule = Table(
    "notification_rule",
    metadata,
    row_id(),
    reference("channel_id", "channel", nullable=False),
    reference("project_id", "project", comment="null: of all projects"),
    reference("plan_id", "plan", comment="null: of all its plans"),
    Column("on", JSON, nullable=False),
    Column("branches", JSON(none_as_null=True), comment="patterns; null: all"),
    Column("enabled", Boolean, nullable=False, server_default=true()),
    Column("author", Text, nullable=False),
    Column("created_at", Ms, nullable=False),
    Column("removed_at", Ms),
    CheckConstraint("plan_id IS NULL OR project_id IS NOT NULL", name="plan"),
    Index(None, "channel_id"),
    Index(
        "ix_notification_rule_used",
        "project_id",
        sqlite_where=text("removed_at IS NULL"),
        postgresql_where=text("removed_at IS NULL"),
    ),
    sqlite_autoincrement=True,
)

outbox = Table(
    "outbox",
    metadata,
    row_id(),
    reference("channel_id", "channel", nullable=False),
    reference("rule_id", "notification_rule"),
    reference("run_id", "run", nullable=False),
    Column("project_id", Id, comment="its run's, so that an index can name it"),
    Column("occasion", String(60), nullable=False, comment="which happening of the run: each is told once"),
    Column("what", String(20), nullable=False),
    Column("detail", Text),
    Column("state", String(10), nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("changes", Integer, nullable=False, server_default="0", comment="how often it was asked for anew"),
    Column("told", JSON(none_as_null=True), comment="what the forge was told: job to state"),
    Column("last_error", Text),
    Column("next_at", Ms, nullable=False, comment="when it is tried, while it is pending"),
    Column("claimed_until", Ms, comment="a server sends it until then"),
    Column("claimed_by", String(32)),
    Column("created_at", Ms, nullable=False),
    Column("ended_at", Ms),
    CheckConstraint(among("state", NotificationState), name="state"),
    ends("ended_at", NOTIFICATION_ENDED),
    CheckConstraint("(claimed_until IS NULL) = (claimed_by IS NULL)", name="claim"),
    UniqueConstraint("channel_id", "run_id", "occasion"),
    Index(
        "ix_outbox_due",
        "next_at",
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
    Index(None, "run_id", "id"),
    Index(None, "channel_id", "id"),
    Index(None, "state", "id"),
    Index(None, "project_id", "id"),
    Index(
        "ix_outbox_ended",
        "ended_at",
        sqlite_where=text("ended_at IS NOT NULL"),
        postgresql_where=text("ended_at IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)

# How the runs of a plan on a branch ended, one after the other: what rules and badges ask for.
Index(
    "ix_run_verdict",
    run.c.plan_id,
    run.c.branch,
    run.c.id,
    sqlite_where=text("state IN ('passed', 'failed')"),
    postgresql_where=text("state IN ('passed', 'failed')"),
)

# In these words, because SQLite uses no partial index for a state that is a parameter.
outbox_pending = outbox.c.state == literal_column("'pending'")
outbox_ended = outbox.c.ended_at.is_not(None)
run_verdict = run.c.state.in_([literal_column("'passed'"), literal_column("'failed'")])
