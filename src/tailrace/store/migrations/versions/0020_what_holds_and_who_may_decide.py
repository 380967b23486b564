"""Which version of a plan is in force and where it was seen, and who may decide an approval"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.add_column(
        "plan",
        sa.Column(
            "in_force",
            sa.Integer(),
            nullable=True,
            comment="number of the version that holds; null: none is known",
        ),
    )
    op.execute("UPDATE plan SET in_force = version_count WHERE version_count > 0")
    op.add_column(
        "plan_version",
        sa.Column(
            "ref",
            sa.Text(),
            nullable=True,
            comment="where in the repository it was seen; null: it is kept here",
        ),
    )
    op.add_column("plan_version", sa.Column("revision", sa.Text(), nullable=True))
    op.add_column(
        "plan_version",
        sa.Column(
            "from_fork",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="seen in forks alone",
        ),
    )
    op.add_column(
        "approval",
        sa.Column(
            "approvers",
            sa.JSON(none_as_null=True),
            nullable=True,
            comment="as the environment had them when it was asked",
        ),
    )
    op.execute(
        "UPDATE approval SET approvers = (SELECT environment.approvers FROM environment"
        " JOIN run ON run.project_id = environment.project_id"
        " WHERE run.id = approval.run_id AND environment.name = approval.environment)"
    )


def downgrade() -> None:
    op.drop_column("approval", "approvers")
    op.drop_column("plan_version", "from_fork")
    op.drop_column("plan_version", "revision")
    op.drop_column("plan_version", "ref")
    op.drop_column("plan", "in_force")
