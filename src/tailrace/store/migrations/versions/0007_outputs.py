"""What attempts give to other jobs, and how often their end was asked for"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column(
        "attempt",
        sa.Column(
            "aborts",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="how often its end was asked for",
        ),
    )
    op.add_column(
        "attempt",
        sa.Column("outputs", sa.JSON(), nullable=True, comment="what it gave to jobs that need its own"),
    )


def downgrade() -> None:
    op.drop_column("attempt", "outputs")
    op.drop_column("attempt", "aborts")
