"""What happened, kept with a run until its plan is read; values of parameters, sealed; plans that were found"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.add_column(
        "run",
        sa.Column(
            "event",
            sa.JSON(none_as_null=True),
            comment="what its plan's `on` is asked about; null once that is done",
        ),
    )
    op.add_column(
        "plan",
        sa.Column(
            "found",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="in the repository, by an event",
        ),
    )
    op.create_table(
        "run_secret",
        sa.Column("run_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column(
            "seal",
            sa.String(length=32),
            nullable=False,
            comment="random: the row identity for which it was sealed",
        ),
        sa.Column("value", sa.LargeBinary(), nullable=False, comment="sealed"),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_run_secret_run_id_run")),
        sa.PrimaryKeyConstraint("run_id", "name", name=op.f("pk_run_secret")),
    )


def downgrade() -> None:
    op.drop_table("run_secret")
    op.drop_column("plan", "found")
    op.drop_column("run", "event")
