"""Files that jobs keep"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "artifact",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("run_id", _ID, nullable=False),
        sa.Column("job_id", _ID, nullable=False),
        sa.Column("attempt_id", _ID, nullable=False),
        sa.Column("path", sa.Text(), nullable=False, comment="below the workspace"),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("executable", sa.Boolean(), nullable=False),
        sa.Column(
            "key",
            sa.Text(),
            nullable=True,
            comment="its path in the archive; null: the archive does not hold it",
        ),
        sa.Column(
            "keep_until", sa.BigInteger(), nullable=True, comment="what the plan says; null: the settings do"
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column(
            "stored_at",
            sa.BigInteger(),
            nullable=True,
            comment="when the archive held it; null: it was announced and has not come",
        ),
        sa.Column("removed_at", sa.BigInteger(), nullable=True),
        sa.Column("removed_why", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(key IS NOT NULL) = (stored_at IS NOT NULL AND removed_at IS NULL)", name=op.f("ck_artifact_key")
        ),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_artifact_run_id")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_artifact_job_id")),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempt.id"], name=op.f("fk_artifact_attempt_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_artifact")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_artifact_attempt_id_path",
        "artifact",
        ["attempt_id", "path"],
        unique=True,
        sqlite_where=sa.text("removed_at IS NULL"),
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    op.create_index(
        "ix_artifact_run_id",
        "artifact",
        ["run_id", "job_id", "attempt_id", "path"],
        sqlite_where=sa.text("key IS NOT NULL"),
        postgresql_where=sa.text("key IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_table("artifact")
