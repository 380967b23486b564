"""Jobs take turns in groups of their own"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

_IN_LINE = sa.text("place IS NOT NULL")


def upgrade() -> None:
    op.add_column(
        "job",
        sa.Column(
            "concurrency",
            sa.Text(),
            nullable=True,
            comment="the group in which it takes its turn, since it could begin",
        ),
    )
    op.add_column(
        "job",
        sa.Column(
            "place",
            sa.BigInteger(),
            nullable=True,
            comment="its place in its group; null: it is not in line, or has ended",
        ),
    )
    op.create_index(
        "ix_job_concurrency",
        "job",
        ["concurrency", "place"],
        sqlite_where=_IN_LINE,
        postgresql_where=_IN_LINE,
    )


def downgrade() -> None:
    op.drop_index("ix_job_concurrency", "job")
    op.drop_column("job", "place")
    op.drop_column("job", "concurrency")
