"""Who plans a run, and how often its repository could not be read"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.add_column(
        "run",
        sa.Column(
            "claimed_by", sa.String(32), nullable=True, comment="that server; null: none may before then"
        ),
    )
    op.add_column(
        "run",
        sa.Column(
            "tries",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="to read its repository, in vain",
        ),
    )
    op.add_column(
        "run",
        sa.Column(
            "troubled_at",
            sa.BigInteger(),
            nullable=True,
            comment="when its repository could not be read for the first time",
        ),
    )


def downgrade() -> None:
    op.drop_column("run", "troubled_at")
    op.drop_column("run", "tries")
    op.drop_column("run", "claimed_by")
