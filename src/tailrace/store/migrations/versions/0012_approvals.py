"""When a job is tried again"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0010"


def upgrade() -> None:
    op.add_column(
        "job",
        sa.Column(
            "retry_at", sa.BigInteger(), comment="when its next attempt is queued; null: it is, or none"
        ),
    )
    delayed = sa.text("retry_at IS NOT NULL")
    op.create_index("ix_job_retry_at", "job", ["retry_at"], sqlite_where=delayed, postgresql_where=delayed)


def downgrade() -> None:
    op.drop_index("ix_job_retry_at", table_name="job")
    op.drop_column("job", "retry_at")
