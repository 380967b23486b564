"""Who plans a run, and how often its repository could not be read; where the large bodies of webhooks are,
and indexes by which deliveries are found"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

_FOUND_BY = (["project_id", "state", "id"], ["source", "id"], ["event", "id"], ["received_at", "id"])


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
    id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "delivery_body",
        sa.Column("delivery_id", id, nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False, comment="zlib"),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name=op.f("fk_delivery_body_delivery_id")),
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("pk_delivery_body")),
    )
    op.create_table(
        "told",
        sa.Column("project_id", id, nullable=False),
        sa.Column(
            "what", sa.Text(), nullable=False, comment="in words; kept for a minute, see store/told.py"
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_told_project_id")),
        sa.PrimaryKeyConstraint("project_id", "what", name=op.f("pk_told")),
        sqlite_with_rowid=False,
    )
    for columns in _FOUND_BY:
        op.create_index(f"ix_delivery_{'_'.join(columns)}", "delivery", columns)


def downgrade() -> None:
    for columns in _FOUND_BY:
        op.drop_index(f"ix_delivery_{'_'.join(columns)}", "delivery")
    op.drop_table("told")
    op.drop_table("delivery_body")
    op.drop_column("run", "troubled_at")
    op.drop_column("run", "tries")
    op.drop_column("run", "claimed_by")
