"""The tables of what waits for a person."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    String,
    Table,
    Text,
    UniqueConstraint,
    literal_column,
    text,
)

from tailrace.domain.approvals import ApprovalState
from tailrace.store.columns import Ms, among, metadata, reference, row_id

environment = Table(
    "environment",
    metadata,
    row_id(),
    reference("project_id", "project", nullable=False),
    Column("name", String(100), nullable=False),
    Column("approval", Boolean, nullable=False, comment="each of its jobs waits for a person"),
    Column("approvers", JSON(none_as_null=True), comment="names of those who may decide; null: anybody"),
    Column(
        "branches", JSON(none_as_null=True), comment="patterns of the branches that may use it; null: all"
    ),
    Column("by", Text, nullable=False),
    Column("updated_at", Ms, nullable=False),
    UniqueConstraint("project_id", "name"),
    sqlite_autoincrement=True,
)

approval = Table(
    "approval",
    metadata,
    row_id(),
    reference("run_id", "run", nullable=False),
    reference("job_id", "job", comment="null: the whole run waits"),
    Column("environment", String(100)),
    Column("approvers", JSON(none_as_null=True), comment="as the environment had them when it was asked"),
    Column("state", String(10), nullable=False),
    Column("asked_at", Ms, nullable=False),
    Column("by", Text, comment="who decided"),
    Column("why", Text),
    Column("at", Ms, comment="when it was decided, or withdrawn"),
    CheckConstraint(among("state", ApprovalState), name="state"),
    CheckConstraint("(\"at\" IS NULL) = (state = 'open')", name="end"),
    CheckConstraint("(job_id IS NULL) = (environment IS NULL)", name="job"),
    Index(None, "run_id", "job_id"),
    Index(
        "ix_approval_open",
        "id",
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
    sqlite_autoincrement=True,
)

approval_open = approval.c.state == literal_column("'open'")
