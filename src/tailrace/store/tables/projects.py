"""The tables of projects, their plans, and their secrets."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from tailrace.store.columns import Ms, metadata, reference, row_id

project = Table(
    "project",
    metadata,
    row_id(),
    Column("name", String(100), nullable=False),
    Column("repository", Text, nullable=False),
    Column("webhook_secret", LargeBinary, comment="sealed"),
    Column(
        "hook", JSON(none_as_null=True), comment="how generic webhooks are read; null: by the usual names"
    ),
    Column(
        "credentials",
        JSON(none_as_null=True),
        comment="the secret that opens the repository, by its name; null: none is wanted, or the address has it",
    ),
    Column("run_count", BigInteger, nullable=False, server_default="0"),
    Column("created_at", Ms, nullable=False),
    Column("removed_at", Ms),
    Index(
        "uq_project_name",
        "name",
        unique=True,
        sqlite_where=text("removed_at IS NULL"),
        postgresql_where=text("removed_at IS NULL"),
    ),
    sqlite_autoincrement=True,
)

plan = Table(
    "plan",
    metadata,
    row_id(),
    reference("project_id", "project", nullable=False),
    Column("name", String(100), nullable=False),
    Column("path", Text, comment="where the plan lives in the repository; null: its definition is kept here"),
    Column("version_count", Integer, nullable=False, server_default="0"),
    Column("in_force", Integer, comment="number of the version that holds; null: none is known"),
    Column(
        "found", Boolean, nullable=False, server_default=false(), comment="in the repository, by an event"
    ),
    Column("created_at", Ms, nullable=False),
    Column("removed_at", Ms),
    Index(
        "uq_plan_project_id_name",
        "project_id",
        "name",
        unique=True,
        sqlite_where=text("removed_at IS NULL"),
        postgresql_where=text("removed_at IS NULL"),
    ),
    sqlite_autoincrement=True,
)

plan_version = Table(
    "plan_version",
    metadata,
    row_id(),
    reference("plan_id", "plan", nullable=False),
    Column("number", Integer, nullable=False),
    Column("definition", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("author", Text),
    Column("ref", Text, comment="where in the repository it was seen; null: it is kept here"),
    Column("revision", Text),
    Column("from_fork", Boolean, nullable=False, server_default=false(), comment="seen in forks alone"),
    Column("created_at", Ms, nullable=False),
    UniqueConstraint("plan_id", "number"),
    Index(None, "plan_id", "sha256"),
    sqlite_autoincrement=True,
)

secret = Table(
    "secret",
    metadata,
    row_id(),
    reference("project_id", "project", comment="null: for all projects"),
    Column("name", String(100), nullable=False),
    Column("value", LargeBinary, nullable=False, comment="sealed"),
    Column("warnings", JSON, nullable=False, comment="what masking cannot hide of it"),
    Column("author", Text),
    Column("created_at", Ms, nullable=False),
    Column("updated_at", Ms, nullable=False),
    Index(
        "uq_secret_name",
        "name",
        unique=True,
        sqlite_where=text("project_id IS NULL"),
        postgresql_where=text("project_id IS NULL"),
    ),
    Index(
        "uq_secret_project_id_name",
        "project_id",
        "name",
        unique=True,
        sqlite_where=text("project_id IS NOT NULL"),
        postgresql_where=text("project_id IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)
