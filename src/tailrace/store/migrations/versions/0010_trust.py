"""Which projects agents work for, protected labels, runs from forks, places in concurrency groups"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "protected_label",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column(
            "projects",
            sa.JSON(),
            nullable=False,
            comment="ids of those whose runs may use it; runs from forks never",
        ),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("why", sa.Text()),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_protected_label")),
    )
    op.add_column(
        "agent_token",
        sa.Column("projects", sa.JSON(none_as_null=True), comment="what its agent gets; null: all"),
    )
    op.add_column(
        "agent",
        sa.Column(
            "projects",
            sa.JSON(none_as_null=True),
            comment="ids of those whose work people let it take; null: all",
        ),
    )
    op.add_column(
        "agent",
        sa.Column(
            "own_projects",
            sa.JSON(none_as_null=True),
            comment="names of those whose work it takes; null: all",
        ),
    )
    op.add_column(
        "run",
        sa.Column(
            "place",
            sa.BigInteger(),
            comment="its place in its group: behind all that had not ended when it came",
        ),
    )
    op.execute("UPDATE run SET place = id WHERE concurrency IS NOT NULL")
    for table, comment in (("run", "its commit is a stranger's"), ("attempt", "as its run's")):
        op.add_column(
            table,
            sa.Column("from_fork", sa.Boolean(), server_default=sa.false(), nullable=False, comment=comment),
        )
    waits = sa.text("concurrency IS NOT NULL AND finished_at IS NULL")
    op.drop_index("ix_run_concurrency", table_name="run")
    op.create_index(
        "ix_run_concurrency", "run", ["concurrency", "place"], sqlite_where=waits, postgresql_where=waits
    )
    _queue_index("labels", "rank", "project_id", "from_fork", "id")


def downgrade() -> None:
    _queue_index("labels", "rank", "project_id", "id")
    waits = sa.text("concurrency IS NOT NULL AND finished_at IS NULL")
    op.drop_index("ix_run_concurrency", table_name="run")
    op.create_index(
        "ix_run_concurrency", "run", ["concurrency", "id"], sqlite_where=waits, postgresql_where=waits
    )
    op.drop_column("attempt", "from_fork")
    op.drop_column("run", "from_fork")
    op.drop_column("run", "place")
    op.drop_column("agent", "own_projects")
    op.drop_column("agent", "projects")
    op.drop_column("agent_token", "projects")
    op.drop_table("protected_label")


def _queue_index(*columns: str) -> None:
    pending = sa.text("state = 'pending'")
    op.drop_index("ix_attempt_queue", table_name="attempt")
    op.create_index(
        "ix_attempt_queue", "attempt", list(columns), sqlite_where=pending, postgresql_where=pending
    )
