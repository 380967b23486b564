"""Agents whose machine lives for one job"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.add_column(
        "agent",
        sa.Column(
            "once",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="its machine lives for one job: one that stays away is forgotten",
        ),
    )


def downgrade() -> None:
    op.drop_column("agent", "once")
