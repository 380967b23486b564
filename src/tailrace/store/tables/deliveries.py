"""The tables of webhooks as they came."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    Index,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from tailrace.store.columns import Ms, metadata, reference, row_id

told = Table(
    "told",
    metadata,
    reference("project_id", "project", primary_key=True, autoincrement=False),
    Column("what", Text, primary_key=True, comment="in words; kept for a minute, see store/told.py"),
    Column("at", Ms, nullable=False),
    sqlite_with_rowid=False,
)

delivery = Table(
    "delivery",
    metadata,
    row_id(),
    reference("project_id", "project", nullable=False),
    Column("source", String(20), nullable=False),
    Column("key", Text, comment="the sender's own id of the delivery"),
    Column("event", Text),
    Column("headers", JSON, nullable=False),
    Column(
        "body", LargeBinary, comment="zlib; null when it lies in a file"
    ),  # b"" when it is a delivery_body
    Column("body_file", Text),  # of a large one before there were delivery_bodies
    Column("state", String(10), nullable=False),
    Column("detail", Text),
    Column("outcomes", JSON(none_as_null=True), comment="what each trigger made of it; null: none was asked"),
    Column("received_at", Ms, nullable=False),
    Column("removed_at", Ms, comment="when retention took its headers and body: they are empty since"),
    CheckConstraint("state IN ('accepted', 'ignored', 'invalid')", name="state"),
    CheckConstraint("(body IS NULL) <> (body_file IS NULL)", name="body"),
    UniqueConstraint("project_id", "source", "key"),
    Index(None, "project_id", "id"),
    Index(None, "project_id", "state", "id"),
    Index(None, "state", "id"),
    Index(None, "source", "id"),
    Index(None, "event", "id"),
    Index(None, "received_at", "id"),
    Index(
        "ix_delivery_kept",
        "received_at",
        sqlite_where=text("removed_at IS NULL"),
        postgresql_where=text("removed_at IS NULL"),
    ),
    sqlite_autoincrement=True,
)

delivery_body = Table(
    "delivery_body",
    metadata,
    reference("delivery_id", "delivery", primary_key=True, autoincrement=False),
    Column("packed", LargeBinary, nullable=False, comment="zlib"),
)

replay = Table(
    "replay",
    metadata,
    row_id(),
    reference("delivery_id", "delivery", nullable=False),
    Column("by", Text, nullable=False),
    Column("at", Ms, nullable=False),
    Column("state", String(10), nullable=False),
    Column("detail", Text),
    Column("outcomes", JSON(none_as_null=True), comment="as those of a delivery"),
    CheckConstraint("state IN ('accepted', 'ignored', 'invalid')", name="state"),
    Index(None, "delivery_id"),
    sqlite_autoincrement=True,
)

refusal = Table(
    "refusal",
    metadata,
    row_id(),
    Column("project", Text, nullable=False),
    Column("source", String(20), nullable=False),
    Column("why", Text, nullable=False),
    Column("headers", JSON, nullable=False),
    Column("refused_at", Ms, nullable=False),
    sqlite_autoincrement=True,
)

# In these words, because SQLite uses no partial index for a condition in which a state is a parameter.
delivery_kept = delivery.c.removed_at.is_(None)
