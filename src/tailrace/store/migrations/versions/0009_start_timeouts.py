"""When an attempt fails unless an agent has taken it"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0007"

_WAITING = sa.text("state = 'pending' AND start_by IS NOT NULL")


def upgrade() -> None:
    op.add_column(
        "attempt",
        sa.Column(
            "start_by",
            sa.BigInteger(),
            nullable=True,
            comment="when it fails unless an agent has it; null: it may wait for ever",
        ),
    )
    op.create_index(
        "ix_attempt_start_by",
        "attempt",
        ["start_by"],
        sqlite_where=_WAITING,
        postgresql_where=_WAITING,
    )


def downgrade() -> None:
    op.drop_index("ix_attempt_start_by", "attempt")
    op.drop_column("attempt", "start_by")
