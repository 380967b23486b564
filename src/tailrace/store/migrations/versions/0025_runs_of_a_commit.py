"""Runs of a commit are found by it"""

from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    op.create_index("ix_run_revision", "run", ["revision"])


def downgrade() -> None:
    op.drop_index("ix_run_revision", "run")
