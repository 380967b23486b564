"""What the log engine keeps: segments, secrets, and why an output stands still"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "secret",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column(
            "project_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=True,
            comment="null: for all projects",
        ),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False, comment="sealed"),
        sa.Column("warnings", sa.JSON(), nullable=False, comment="what masking cannot hide of it"),
        sa.Column("author", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_secret_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_secret")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_secret_name",
        "secret",
        ["name"],
        unique=True,
        sqlite_where=sa.text("project_id IS NULL"),
        postgresql_where=sa.text("project_id IS NULL"),
    )
    op.create_index(
        "uq_secret_project_id_name",
        "secret",
        ["project_id", "name"],
        unique=True,
        sqlite_where=sa.text("project_id IS NOT NULL"),
        postgresql_where=sa.text("project_id IS NOT NULL"),
    )
    op.create_table(
        "segment",
        sa.Column(
            "log_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False, comment="its first byte's offset in the log"),
        sa.Column("stop", sa.BigInteger(), nullable=False),
        sa.Column("first_line", sa.BigInteger(), nullable=False, comment="newlines before it"),
        sa.Column("lines", sa.BigInteger(), nullable=False, comment="newlines in it"),
        sa.Column("first_time", sa.BigInteger(), nullable=False),
        sa.Column("last_time", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False, comment="bytes in the archive"),
        sa.Column("sha256", sa.String(length=64), nullable=False, comment="of the archive's object"),
        sa.Column("crc32", sa.BigInteger(), nullable=False, comment="of the log's bytes before `stop`"),
        sa.Column("key", sa.Text(), nullable=False, comment="its path in the archive"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("start < stop", name=op.f("ck_segment_bytes")),
        sa.ForeignKeyConstraint(["log_id"], ["log.id"], name=op.f("fk_segment_log_id")),
        sa.PrimaryKeyConstraint("log_id", "number", name=op.f("pk_segment")),
        sa.UniqueConstraint("log_id", "start", name=op.f("uq_segment_log_id_start")),
        sqlite_with_rowid=False,
    )
    op.add_column(
        "attempt",
        sa.Column(
            "stalled", sa.Text(), nullable=True, comment="why its output stands still; null: it does not"
        ),
    )
    op.add_column(
        "log",
        sa.Column(
            "sealed",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="bytes, from 0 on, in segments",
        ),
    )
    op.add_column(
        "log", sa.Column("sealed_at", sa.BigInteger(), nullable=True, comment="when segments held all of it")
    )
    op.add_column(
        "log",
        sa.Column(
            "dropped",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="bytes beyond its limit, not kept",
        ),
    )
    op.add_column("log", sa.Column("removed_at", sa.BigInteger(), nullable=True))
    op.add_column(
        "log",
        sa.Column("claimed_until", sa.BigInteger(), nullable=True, comment="a server seals it until then"),
    )
    op.create_index(
        "ix_log_unsealed",
        "log",
        ["id"],
        unique=False,
        sqlite_where=sa.text("sealed_at IS NULL"),
        postgresql_where=sa.text("sealed_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index(
        "ix_log_unsealed",
        table_name="log",
        sqlite_where=sa.text("sealed_at IS NULL"),
        postgresql_where=sa.text("sealed_at IS NULL"),
    )
    op.drop_column("log", "claimed_until")
    op.drop_column("log", "removed_at")
    op.drop_column("log", "dropped")
    op.drop_column("log", "sealed_at")
    op.drop_column("log", "sealed")
    op.drop_column("attempt", "stalled")
    op.drop_table("segment")
    op.drop_index(
        "uq_secret_project_id_name",
        table_name="secret",
        sqlite_where=sa.text("project_id IS NOT NULL"),
        postgresql_where=sa.text("project_id IS NOT NULL"),
    )
    op.drop_index(
        "uq_secret_name",
        table_name="secret",
        sqlite_where=sa.text("project_id IS NULL"),
        postgresql_where=sa.text("project_id IS NULL"),
    )
    op.drop_table("secret")
