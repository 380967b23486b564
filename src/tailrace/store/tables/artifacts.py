"""The table of the files that jobs keep."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Index, String, Table, Text, text

from tailrace.store.columns import Ms, metadata, reference, row_id

artifact = Table(
    "artifact",
    metadata,
    row_id(),
    reference("run_id", "run", nullable=False),
    reference("job_id", "job", nullable=False),
    reference("attempt_id", "attempt", nullable=False),
    Column("path", Text, nullable=False, comment="below the workspace"),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("executable", Boolean, nullable=False),
    Column("key", Text, comment="its path in the archive; null: the archive does not hold it"),
    Column("keep_until", Ms, comment="what the plan says; null: the settings do"),
    Column("created_at", Ms, nullable=False),
    Column("stored_at", Ms, comment="when the archive held it; null: it was announced and has not come"),
    Column("removed_at", Ms),
    Column("removed_why", Text),
    CheckConstraint("(key IS NOT NULL) = (stored_at IS NOT NULL AND removed_at IS NULL)", name="key"),
    Index(
        "uq_artifact_attempt_id_path",
        "attempt_id",
        "path",
        unique=True,
        sqlite_where=text("removed_at IS NULL"),
        postgresql_where=text("removed_at IS NULL"),
    ),
    Index(
        "ix_artifact_run_id",
        "run_id",
        "job_id",
        "attempt_id",
        "path",
        sqlite_where=text("key IS NOT NULL"),
        postgresql_where=text("key IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)

# In these words, because SQLite uses no partial index for a condition in which a state is a parameter.
artifact_kept = artifact.c.key.is_not(None)
