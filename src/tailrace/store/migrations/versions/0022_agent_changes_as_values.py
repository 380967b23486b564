"""What was changed of an agent, as values: people read it in their own language"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.add_column(
        "agent_change",
        sa.Column(
            "parts",
            sa.JSON(none_as_null=True),
            nullable=True,
            comment="what changed, as values; null: it is in words alone",
        ),
    )


def downgrade() -> None:
    op.execute("UPDATE agent_change SET what = 'changed' WHERE what = ''")
    op.drop_column("agent_change", "parts")
