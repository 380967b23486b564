"""Who changed an agent and why, when it had trouble, and logs that nobody wrote"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.add_column("agent", sa.Column("trouble_at", sa.BigInteger(), nullable=True))
    op.add_column(
        "agent",
        sa.Column(
            "refused",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="the trouble is that its hello was not understood",
        ),
    )
    op.execute("UPDATE agent SET trouble_at = last_seen_at WHERE trouble IS NOT NULL")
    id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "agent_change",
        sa.Column("id", id, autoincrement=True, nullable=False),
        sa.Column("agent_id", id, nullable=False),
        sa.Column("what", sa.Text(), nullable=False, comment="in words"),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["agent.id"], name=op.f("fk_agent_change_agent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agent_change")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_agent_change_agent_id_id", "agent_change", ["agent_id", "id"])
    # Attempts that ended in the queue: nobody wrote their logs, and nobody declared a checksum.
    op.execute(
        "UPDATE log SET crc32 = NULL WHERE size = 0 AND crc32 = 0 AND id IN"
        " (SELECT log_id FROM attempt WHERE agent_id IS NULL AND state IN ('aborted', 'failed'))"
    )


def downgrade() -> None:
    op.drop_index("ix_agent_change_agent_id_id", "agent_change")
    op.drop_table("agent_change")
    op.drop_column("agent", "refused")
    op.drop_column("agent", "trouble_at")
