"""Priorities of runs, turns in concurrency groups, pauses of the queue"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "concurrency_group",
        sa.Column("name", sa.Text(), nullable=False, comment="its row is locked by whoever gives a turn"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_concurrency_group")),
    )
    op.create_table(
        "pause",
        sa.Column("scope", sa.String(length=40), nullable=False, comment="queue, or project/ID"),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("why", sa.Text()),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_pause")),
    )
    op.add_column("run", sa.Column("priority", sa.Integer(), server_default="0", nullable=False))
    op.add_column("run", sa.Column("concurrency", sa.Text(), comment="the group in which it takes its turn"))
    op.add_column(
        "run",
        sa.Column("turns", sa.Integer(), comment="how many runs of its group may be under way at once"),
    )
    waits = sa.text("concurrency IS NOT NULL AND finished_at IS NULL")
    op.create_index(
        "ix_run_concurrency", "run", ["concurrency", "id"], sqlite_where=waits, postgresql_where=waits
    )
    id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column(
        "attempt",
        sa.Column("project_id", id, comment="its run's, so that the queue's index can name it"),
    )
    op.add_column(
        "attempt",
        sa.Column(
            "rank",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="its run's priority, negated: the queue begins with the least",
        ),
    )
    op.execute("UPDATE attempt SET project_id = (SELECT project_id FROM run WHERE run.id = attempt.run_id)")
    pending = sa.text("state = 'pending'")
    op.drop_index("ix_attempt_queue", table_name="attempt")
    op.create_index(
        "ix_attempt_queue",
        "attempt",
        ["labels", "rank", "project_id", "id"],
        sqlite_where=pending,
        postgresql_where=pending,
    )


def downgrade() -> None:
    pending = sa.text("state = 'pending'")
    op.drop_index("ix_attempt_queue", table_name="attempt")
    op.create_index(
        "ix_attempt_queue", "attempt", ["labels", "id"], sqlite_where=pending, postgresql_where=pending
    )
    op.drop_column("attempt", "rank")
    op.drop_column("attempt", "project_id")
    op.drop_index("ix_run_concurrency", table_name="run")
    for name in ("turns", "concurrency", "priority"):
        op.drop_column("run", name)
    op.drop_table("pause")
    op.drop_table("concurrency_group")
