"""What agents say of their machines, and what people want of agents"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    said = "what it said of its machine when it connected"
    busy = "how busy its machine was when its leases were renewed"
    op.add_column("agent", sa.Column("machine", sa.JSON(), comment=said))
    op.add_column("agent", sa.Column("load", sa.JSON(), comment=busy))
    # With its check in the same breath: SQLite adds none to a table that exists, except by copying it.
    op.execute(
        "ALTER TABLE agent ADD COLUMN mode VARCHAR(10) DEFAULT 'active' NOT NULL"
        " CONSTRAINT ck_agent_mode CHECK (mode IN ('active', 'draining', 'paused'))"
    )
    op.add_column("agent", sa.Column("mode_by", sa.Text(), comment="who set the mode"))
    op.add_column("agent", sa.Column("mode_why", sa.Text()))
    op.add_column("agent", sa.Column("mode_at", sa.BigInteger()))


def downgrade() -> None:
    for name in ("mode_at", "mode_why", "mode_by", "mode", "load", "machine"):
        op.drop_column("agent", name)
