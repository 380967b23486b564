"""The tables of who may call: tokens, sessions, sign-in codes; and the servers that are alive."""

from __future__ import annotations

from sqlalchemy import JSON, Column, String, Table

from tailrace.store.columns import Ms, metadata, row_id

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
    sqlite_autoincrement=True,
)

session = Table(
    "session",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("created_at", Ms, nullable=False),
    Column("expires_at", Ms, nullable=False),
)

login_code = Table(
    "login_code",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("name", String(100), nullable=False),
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
