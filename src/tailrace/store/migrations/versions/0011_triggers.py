"""Triggers of every kind, heads, what triggers made of deliveries, replays"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_KINDS = "kind IN ('cron', 'git', 'subversion', 'url', 'webhook')"
_LAST_STATES = "last_state IN ('ok', 'error')"
_STATES = "state IN ('accepted', 'ignored', 'invalid')"
_ENDED = (
    ("project_id",),
    ("plan_id",),
    ("branch",),
    ("project_id", "branch"),
    ("plan_id", "branch"),
)


def _ended_name(columns: tuple[str, ...]) -> str:
    return f"ix_run_ended_{'_'.join(name.removesuffix('_id') for name in columns)}"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _make_again(_columns(), _KINDS)
    else:
        op.drop_constraint(op.f("ck_trigger_kind"), "trigger", type_="check")
        for column in _columns():
            op.add_column("trigger", column)
        op.create_check_constraint(op.f("ck_trigger_kind"), "trigger", _KINDS)
        op.create_check_constraint(op.f("ck_trigger_last_state"), "trigger", _LAST_STATES)
    kept = sa.text("removed_at IS NULL")
    op.create_index(
        "uq_trigger_plan_id_name",
        "trigger",
        ["plan_id", "name"],
        unique=True,
        sqlite_where=kept,
        postgresql_where=kept,
    )
    scheduled = sa.text("next_at IS NOT NULL AND removed_at IS NULL")
    op.create_index(
        "ix_trigger_next_at", "trigger", ["next_at"], sqlite_where=scheduled, postgresql_where=scheduled
    )
    op.create_table(
        "head",
        sa.Column("project_id", _id(), autoincrement=False, nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("revision", sa.Text(), nullable=False),
        sa.Column("moved_at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(length=20), nullable=False, comment="the kind of trigger that moved it"),
        sa.Column(
            "moves",
            sa.JSON(),
            nullable=False,
            comment="where it was before, the newest last; see store/heads.py",
        ),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_head_project_id")),
        sa.PrimaryKeyConstraint("project_id", "ref", name=op.f("pk_head")),
        sqlite_with_rowid=False,
    )
    op.add_column(
        "delivery",
        sa.Column(
            "outcomes",
            sa.JSON(none_as_null=True),
            comment="what each trigger made of it; null: none was asked",
        ),
    )
    op.add_column(
        "delivery",
        sa.Column(
            "removed_at",
            sa.BigInteger(),
            comment="when retention took its headers and body: they are empty since",
        ),
    )
    op.create_index("ix_delivery_state_id", "delivery", ["state", "id"])
    op.create_index("ix_delivery_kept", "delivery", ["received_at"], sqlite_where=kept, postgresql_where=kept)
    op.create_table(
        "replay",
        sa.Column("id", _id(), autoincrement=True, nullable=False),
        sa.Column("delivery_id", _id(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("detail", sa.Text()),
        sa.Column("outcomes", sa.JSON(none_as_null=True), comment="as those of a delivery"),
        sa.CheckConstraint(_STATES, name=op.f("ck_replay_state")),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name=op.f("fk_replay_delivery_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replay")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_replay_delivery_id", "replay", ["delivery_id"])
    op.add_column(
        "run",
        sa.Column("trigger_id", _id(), comment="null: no trigger did, a person asked for it"),
    )
    triggered = sa.text("trigger_id IS NOT NULL")
    op.create_index(
        "ix_run_trigger", "run", ["trigger_id", "id"], sqlite_where=triggered, postgresql_where=triggered
    )
    ended = sa.text("finished_at IS NOT NULL")
    for columns in _ENDED:
        op.create_index(
            _ended_name(columns),
            "run",
            [*columns, "state", "id"],
            sqlite_where=ended,
            postgresql_where=ended,
        )


def downgrade() -> None:
    for columns in _ENDED:
        op.drop_index(_ended_name(columns), table_name="run")
    op.drop_index("ix_run_trigger", table_name="run")
    op.drop_column("run", "trigger_id")
    op.drop_table("replay")
    op.drop_index("ix_delivery_kept", table_name="delivery")
    op.drop_index("ix_delivery_state_id", table_name="delivery")
    op.drop_column("delivery", "removed_at")
    op.drop_column("delivery", "outcomes")
    op.drop_table("head")
    op.drop_index("ix_trigger_next_at", table_name="trigger")
    op.drop_index("uq_trigger_plan_id_name", table_name="trigger")
    # What the former version does not know must be gone for it to start.
    op.execute("DELETE FROM trigger WHERE kind <> 'webhook'")
    if op.get_bind().dialect.name == "sqlite":
        _make_again([], "kind IN ('webhook')")
    else:
        op.drop_constraint(op.f("ck_trigger_last_state"), "trigger", type_="check")
        op.drop_constraint(op.f("ck_trigger_kind"), "trigger", type_="check")
        for column in _columns():
            op.drop_column("trigger", column.name)
        op.create_check_constraint(op.f("ck_trigger_kind"), "trigger", "kind IN ('webhook')")


def _id() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("name", sa.String(length=100), server_default="webhook", nullable=False),
        sa.Column(
            "settings",
            sa.JSON(none_as_null=True),
            comment="see domain/triggers.py; null: each is what it is by default",
        ),
        sa.Column("mode_by", sa.Text(), comment="who enabled or disabled it"),
        sa.Column("mode_why", sa.Text()),
        sa.Column("mode_at", sa.BigInteger()),
        sa.Column(
            "next_at",
            sa.BigInteger(),
            comment="when it is looked at next; null: never, as of webhooks and of what is disabled",
        ),
        sa.Column("claimed_until", sa.BigInteger(), comment="a server looks at it until then"),
        sa.Column("claimed_by", sa.String(length=32), comment="that server"),
        sa.Column("last_at", sa.BigInteger()),
        sa.Column("last_state", sa.String(length=10)),
        sa.Column("last_detail", sa.Text()),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False, comment="errors in a row"),
        sa.Column("seen", sa.JSON(none_as_null=True), comment="what it remembers of when it last looked"),
    ]


def _make_again(columns: list[sa.Column[Any]], kinds: str) -> None:
    """SQLite changes no CHECK: the table is made anew, with what it held. No other table refers to it."""
    held = "id, project_id, plan_id, kind, enabled, created_at, removed_at"
    op.execute(f"CREATE TEMPORARY TABLE held AS SELECT {held} FROM trigger")  # noqa: S608
    op.drop_table("trigger")
    checks = [sa.CheckConstraint(kinds, name=op.f("ck_trigger_kind"))]
    if columns:
        checks.append(sa.CheckConstraint(_LAST_STATES, name=op.f("ck_trigger_last_state")))
    op.create_table(
        "trigger",
        sa.Column("id", _id(), autoincrement=True, nullable=False),
        sa.Column("project_id", _id(), nullable=False),
        sa.Column("plan_id", _id(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("removed_at", sa.BigInteger()),
        *columns,
        *checks,
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_trigger_plan_id")),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_trigger_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trigger")),
        sqlite_autoincrement=True,
    )
    op.execute(f"INSERT INTO trigger ({held}) SELECT {held} FROM held")  # noqa: S608
    op.execute("DROP TABLE held")
    op.create_index("ix_trigger_plan_id", "trigger", ["plan_id"])
    op.create_index("ix_trigger_project_id_kind", "trigger", ["project_id", "kind"])
