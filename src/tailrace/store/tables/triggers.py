"""The tables of what starts runs, and of where each ref stands."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, CheckConstraint, Column, Index, Integer, String, Table, Text, text

from tailrace.domain.triggers import TriggerKind
from tailrace.store.columns import Ms, among, metadata, reference, row_id

trigger = Table(
    "trigger",
    metadata,
    row_id(),
    reference("project_id", "project", nullable=False),
    reference("plan_id", "plan", nullable=False),
    Column("name", String(100), nullable=False, server_default="webhook"),
    Column("kind", String(20), nullable=False),
    Column(
        "settings",
        JSON(none_as_null=True),
        comment="see domain/triggers.py; null: each is what it is by default",
    ),
    Column("enabled", Boolean, nullable=False),
    Column("mode_by", Text, comment="who enabled or disabled it"),
    Column("mode_why", Text),
    Column("mode_at", Ms),
    Column(
        "next_at",
        Ms,
        comment="when it is looked at next; null: never, as of webhooks and of what is disabled",
    ),
    Column("claimed_until", Ms, comment="a server looks at it until then"),
    Column("claimed_by", String(32), comment="that server"),
    Column("last_at", Ms),
    Column("last_state", String(10)),
    Column("last_detail", Text),
    Column("failures", Integer, nullable=False, server_default="0", comment="errors in a row"),
    Column("seen", JSON(none_as_null=True), comment="what it remembers of when it last looked"),
    Column("created_at", Ms, nullable=False),
    Column("removed_at", Ms),
    CheckConstraint(among("kind", TriggerKind), name="kind"),
    CheckConstraint("last_state IN ('ok', 'error')", name="last_state"),
    Index(None, "project_id", "kind"),
    Index(
        "uq_trigger_plan_id_name",
        "plan_id",
        "name",
        unique=True,
        sqlite_where=text("removed_at IS NULL"),
        postgresql_where=text("removed_at IS NULL"),
    ),
    Index(None, "plan_id"),
    Index(
        "ix_trigger_next_at",
        "next_at",
        sqlite_where=text("next_at IS NOT NULL AND removed_at IS NULL"),
        postgresql_where=text("next_at IS NOT NULL AND removed_at IS NULL"),
    ),
    sqlite_autoincrement=True,
)

head = Table(
    "head",
    metadata,
    reference("project_id", "project", primary_key=True, autoincrement=False),
    Column("ref", Text, primary_key=True),
    Column("revision", Text, nullable=False),
    Column("moved_at", Ms, nullable=False),
    Column("by", String(20), nullable=False, comment="the kind of trigger that moved it"),
    Column("moves", JSON, nullable=False, comment="where it was before, the newest last; see store/heads.py"),
    sqlite_with_rowid=False,
)

# In these words, because SQLite uses no partial index for a condition in which a state is a parameter.
trigger_scheduled = trigger.c.next_at.is_not(None) & trigger.c.removed_at.is_(None)
