"""The tables of who may call: tokens, sessions, sign-in codes; and the servers that are alive."""

from __future__ import annotations

from sqlalchemy import JSON, CheckConstraint, Column, Index, String, Table, Text

from tailrace.domain.access import Role
from tailrace.store.columns import Ms, among, metadata, reference, row_id

agent_token = Table(
    "agent_token",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("labels", JSON, nullable=False),
    Column("projects", JSON(none_as_null=True), comment="what its agent gets; null: all"),
    Column("created_at", Ms, nullable=False),
    Column("expires_at", Ms, nullable=False),
    Column("used_at", Ms),
)

token = Table(
    "token",
    metadata,
    row_id(),
    Column("name", String(100), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("created_at", Ms, nullable=False),
    Column("removed_at", Ms),
    Column("role", String(20), nullable=False),
    Column("author", Text, comment="who made it; null: the server"),
    Column("used_at", Ms, comment="exact to a minute"),
    Column("expires_at", Ms),
    CheckConstraint(among("role", Role), name="role"),
    sqlite_autoincrement=True,
)
token_live = token.c.removed_at.is_(None)
Index("uq_token_name", token.c.name, unique=True, sqlite_where=token_live, postgresql_where=token_live)

session = Table(
    "session",
    metadata,
    Column("hash", String(64), primary_key=True),
    reference("token_id", "token", nullable=False),
    Column("created_at", Ms, nullable=False),
    Column("expires_at", Ms, nullable=False),
)

login_code = Table(
    "login_code",
    metadata,
    Column("hash", String(64), primary_key=True),
    reference("token_id", "token", nullable=False),
    Column("created_at", Ms, nullable=False),
    Column("expires_at", Ms, nullable=False),
    Column("used_at", Ms),
)

server = Table(
    "server",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("seen_at", Ms, nullable=False),
)
