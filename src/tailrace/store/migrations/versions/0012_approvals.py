"""Approvals, environments, and when a job is tried again"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

STATES = "state IN ('approved', 'open', 'rejected', 'withdrawn')"


def upgrade() -> None:
    op.add_column(
        "job",
        sa.Column(
            "retry_at", sa.BigInteger(), comment="when its next attempt is queued; null: it is, or none"
        ),
    )
    delayed = sa.text("retry_at IS NOT NULL")
    op.create_index("ix_job_retry_at", "job", ["retry_at"], sqlite_where=delayed, postgresql_where=delayed)
    id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "environment",
        sa.Column("id", id, autoincrement=True, nullable=False),
        sa.Column("project_id", id, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("approval", sa.Boolean(), nullable=False, comment="each of its jobs waits for a person"),
        sa.Column(
            "approvers", sa.JSON(none_as_null=True), comment="names of those who may decide; null: anybody"
        ),
        sa.Column(
            "branches",
            sa.JSON(none_as_null=True),
            comment="patterns of the branches that may use it; null: all",
        ),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_environment_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_environment")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_environment_project_id_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "approval",
        sa.Column("id", id, autoincrement=True, nullable=False),
        sa.Column("run_id", id, nullable=False),
        sa.Column("job_id", id, comment="null: the whole run waits"),
        sa.Column("environment", sa.String(length=100)),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), comment="who decided"),
        sa.Column("why", sa.Text()),
        sa.Column("at", sa.BigInteger(), comment="when it was decided, or withdrawn"),
        sa.CheckConstraint(STATES, name=op.f("ck_approval_state")),
        sa.CheckConstraint("(\"at\" IS NULL) = (state = 'open')", name=op.f("ck_approval_end")),
        sa.CheckConstraint("(job_id IS NULL) = (environment IS NULL)", name=op.f("ck_approval_job")),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_approval_run_id")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_approval_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_approval_run_id_job_id", "approval", ["run_id", "job_id"])
    asked = sa.text("state = 'open'")
    op.create_index("ix_approval_open", "approval", ["id"], sqlite_where=asked, postgresql_where=asked)


def downgrade() -> None:
    op.drop_table("approval")
    op.drop_table("environment")
    op.drop_index("ix_job_retry_at", table_name="job")
    op.drop_column("job", "retry_at")
