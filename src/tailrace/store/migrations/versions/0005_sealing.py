"""Who seals a log, why retention took one, and objects that are to go from the archive"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "orphan",
        sa.Column(
            "key",
            sa.Text(),
            nullable=False,
            comment="an object of the archive that no segment names any more",
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_orphan")),
        sqlite_with_rowid=False,
    )
    op.add_column(
        "log",
        sa.Column("removed_why", sa.Text(), nullable=True, comment="the rule of retention that took it"),
    )
    op.add_column(
        "log",
        sa.Column(
            "claimed_by", sa.String(length=32), nullable=True, comment="that server; null: it may not go on"
        ),
    )


def downgrade() -> None:
    op.drop_column("log", "claimed_by")
    op.drop_column("log", "removed_why")
    op.drop_table("orphan")
