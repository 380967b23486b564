"""The tables of agents, and of what was changed of them."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, CheckConstraint, Column, Index, Integer, String, Table, Text, false

from tailrace.domain.states import AgentMode
from tailrace.store.columns import Ms, among, metadata, reference, row_id

agent = Table(
    "agent",
    metadata,
    row_id(),
    Column("name", String(100), nullable=False),
    Column("credential_hash", String(64), nullable=False, unique=True),
    Column("labels", JSON, nullable=False),
    Column("granted_labels", JSON, nullable=False, comment="those of its registration token: it keeps them"),
    Column(
        "projects", JSON(none_as_null=True), comment="ids of those whose work people let it take; null: all"
    ),
    Column("own_projects", JSON(none_as_null=True), comment="names of those whose work it takes; null: all"),
    Column("capacity", Integer, nullable=False),
    Column("version", Text, nullable=False),
    Column("address", Text),
    Column("online", Boolean, nullable=False),
    Column("trouble", Text, comment="the last error that it reported of itself"),
    Column("trouble_at", Ms),
    Column(
        "refused",
        Boolean,
        nullable=False,
        server_default=false(),
        comment="the trouble is that its hello was not understood",
    ),
    Column(
        "once",
        Boolean,
        nullable=False,
        server_default=false(),
        comment="its machine lives for one job: one that stays away is forgotten",
    ),
    Column("machine", JSON, comment="what it said of its machine when it connected"),
    Column("load", JSON, comment="how busy its machine was when its leases were renewed"),
    Column("mode", String(10), nullable=False, server_default="active"),
    Column("mode_by", Text, comment="who set the mode"),
    Column("mode_why", Text),
    Column("mode_at", Ms),
    Column("first_seen_at", Ms, nullable=False),
    Column("last_seen_at", Ms, nullable=False),
    Column("removed_at", Ms),
    CheckConstraint(among("mode", AgentMode), name="mode"),
    sqlite_autoincrement=True,
)

agent_change = Table(
    "agent_change",
    metadata,
    row_id(),
    reference("agent_id", "agent", nullable=False),
    Column("what", Text, nullable=False, comment="in words"),
    Column("parts", JSON(none_as_null=True), comment="what changed, as values; null: it is in words alone"),
    Column("by", Text, nullable=False),
    Column("why", Text),
    Column("at", Ms, nullable=False),
    Index(None, "agent_id", "id"),
    sqlite_autoincrement=True,
)
