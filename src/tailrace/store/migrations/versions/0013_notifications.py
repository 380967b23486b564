"""Channels, rules, the outbox; how the runs of a plan on a branch ended, one after the other"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _row_id() -> sa.Column[int]:
    return sa.Column("id", _ID, autoincrement=True, nullable=False)


def _reference(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=op.f(f"fk_{table}_{column}"))


def _partial(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


def upgrade() -> None:
    op.create_table(
        "channel",
        _row_id(),
        sa.Column("project_id", _ID, comment="null: any project's rules may use it"),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("secrets", sa.LargeBinary(), comment="sealed JSON: name to value"),
        sa.Column("secret_names", sa.JSON(), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("removed_at", sa.BigInteger()),
        _reference("channel", "project_id", "project"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel")),
        sqlite_autoincrement=True,
    )
    _partial("uq_channel_name", "channel", ["name"], "removed_at IS NULL", unique=True)
    op.create_index("ix_channel_project_id", "channel", ["project_id"])
    op.create_table(
        "notification_rule",
        _row_id(),
        sa.Column("channel_id", _ID, nullable=False),
        sa.Column("project_id", _ID, comment="null: of all projects"),
        sa.Column("plan_id", _ID, comment="null: of all its plans"),
        sa.Column("on", sa.JSON(), nullable=False),
        sa.Column("branches", sa.JSON(none_as_null=True), comment="patterns; null: all"),
        sa.Column("enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("removed_at", sa.BigInteger()),
        sa.CheckConstraint(
            "plan_id IS NULL OR project_id IS NOT NULL", name=op.f("ck_notification_rule_plan")
        ),
        _reference("notification_rule", "channel_id", "channel"),
        _reference("notification_rule", "project_id", "project"),
        _reference("notification_rule", "plan_id", "plan"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification_rule")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_notification_rule_channel_id", "notification_rule", ["channel_id"])
    _partial("ix_notification_rule_used", "notification_rule", ["project_id"], "removed_at IS NULL")
    op.create_table(
        "outbox",
        _row_id(),
        sa.Column("channel_id", _ID, nullable=False),
        sa.Column("rule_id", _ID),
        sa.Column("run_id", _ID, nullable=False),
        sa.Column(
            "occasion",
            sa.String(length=60),
            nullable=False,
            comment="which happening of the run: each is told once",
        ),
        sa.Column("what", sa.String(length=20), nullable=False),
        sa.Column("detail", sa.Text()),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "changes",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="how often it was asked for anew",
        ),
        sa.Column("told", sa.JSON(none_as_null=True), comment="what the forge was told: job to state"),
        sa.Column("last_error", sa.Text()),
        sa.Column(
            "next_at", sa.BigInteger(), nullable=False, comment="when it is tried, while it is pending"
        ),
        sa.Column("claimed_until", sa.BigInteger(), comment="a server sends it until then"),
        sa.Column("claimed_by", sa.String(length=32)),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger()),
        sa.CheckConstraint("state IN ('failed', 'pending', 'sent', 'unsure')", name=op.f("ck_outbox_state")),
        sa.CheckConstraint(
            "(ended_at IS NOT NULL) = (state IN ('failed', 'sent', 'unsure'))", name=op.f("ck_outbox_end")
        ),
        sa.CheckConstraint("(claimed_until IS NULL) = (claimed_by IS NULL)", name=op.f("ck_outbox_claim")),
        _reference("outbox", "channel_id", "channel"),
        _reference("outbox", "rule_id", "notification_rule"),
        _reference("outbox", "run_id", "run"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint(
            "channel_id", "run_id", "occasion", name=op.f("uq_outbox_channel_id_run_id_occasion")
        ),
        sqlite_autoincrement=True,
    )
    _partial("ix_outbox_due", "outbox", ["next_at"], "state = 'pending'")
    op.create_index("ix_outbox_run_id_id", "outbox", ["run_id", "id"])
    op.create_index("ix_outbox_channel_id_id", "outbox", ["channel_id", "id"])
    op.create_index("ix_outbox_state_id", "outbox", ["state", "id"])
    _partial("ix_run_verdict", "run", ["plan_id", "branch", "id"], "state IN ('passed', 'failed')")


def downgrade() -> None:
    op.drop_index("ix_run_verdict", table_name="run")
    for table in ("outbox", "notification_rule", "channel"):
        op.drop_table(table)
