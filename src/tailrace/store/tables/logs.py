"""The tables of logs and their segments."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from tailrace.domain.states import LogState
from tailrace.store.columns import Ms, among, metadata, reference, row_id

log = Table(
    "log",
    metadata,
    row_id(),
    Column("state", String(10), nullable=False),
    Column("size", BigInteger, comment="bytes; known once it is closed or truncated"),
    Column("crc32", BigInteger),
    Column("created_at", Ms, nullable=False),
    Column("closed_at", Ms),
    Column("sealed", BigInteger, nullable=False, server_default="0", comment="bytes, from 0 on, in segments"),
    Column("sealed_at", Ms, comment="when segments held all of it"),
    Column(
        "dropped", BigInteger, nullable=False, server_default="0", comment="bytes beyond its limit, not kept"
    ),
    Column("removed_at", Ms),
    Column("removed_why", Text, comment="the rule of retention that took it"),
    Column("claimed_until", Ms, comment="a server seals it until then"),
    Column("claimed_by", String(32), comment="that server; null: it may not go on"),
    CheckConstraint(among("state", LogState), name="state"),
    CheckConstraint("(closed_at IS NULL) = (state = 'open')", name="end"),
    CheckConstraint("(size IS NULL) = (state = 'open')", name="size"),
    Index(
        "ix_log_unsealed",
        "id",
        sqlite_where=text("sealed_at IS NULL"),
        postgresql_where=text("sealed_at IS NULL"),
    ),
    sqlite_autoincrement=True,
)

segment = Table(
    "segment",
    metadata,
    reference("log_id", "log", primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("start", BigInteger, nullable=False, comment="its first byte's offset in the log"),
    Column("stop", BigInteger, nullable=False),
    Column("first_line", BigInteger, nullable=False, comment="newlines before it"),
    Column("lines", BigInteger, nullable=False, comment="newlines in it"),
    Column("first_time", Ms, nullable=False),
    Column("last_time", Ms, nullable=False),
    Column("size", BigInteger, nullable=False, comment="bytes in the archive"),
    Column("sha256", String(64), nullable=False, comment="of the archive's object"),
    Column("crc32", BigInteger, nullable=False, comment="of the log's bytes before `stop`"),
    Column("key", Text, nullable=False, comment="its path in the archive"),
    Column("created_at", Ms, nullable=False),
    CheckConstraint("start < stop", name="bytes"),
    UniqueConstraint("log_id", "start"),
    sqlite_with_rowid=False,
)

orphan = Table(
    "orphan",
    metadata,
    Column("key", Text, primary_key=True, comment="an object of the archive that no segment names any more"),
    Column("created_at", Ms, nullable=False),
    sqlite_with_rowid=False,
)

# In these words, because SQLite uses no partial index for a condition in which a state is a parameter.
log_unsealed = log.c.sealed_at.is_(None)
