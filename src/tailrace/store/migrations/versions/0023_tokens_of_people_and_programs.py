"""Tokens of people and programs: roles, who made them, when they end; sessions and sign-in codes are of a token"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"

_LIVE = sa.text("removed_at IS NULL")
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_SIGNED_IN = ("session", "login_code")


def upgrade() -> None:
    with op.batch_alter_table("token", table_kwargs={"sqlite_autoincrement": True}) as token:
        # All that there are so far are the admin's.
        token.add_column(sa.Column("role", sa.String(length=20), server_default="admin", nullable=False))
        token.add_column(
            sa.Column("author", sa.Text(), nullable=True, comment="who made it; null: the server")
        )
        token.add_column(sa.Column("used_at", sa.BigInteger(), nullable=True, comment="exact to a minute"))
        token.add_column(sa.Column("expires_at", sa.BigInteger(), nullable=True))
    with op.batch_alter_table("token", table_kwargs={"sqlite_autoincrement": True}) as token:
        token.alter_column("role", server_default=None)
        token.create_check_constraint(op.f("ck_token_role"), "role IN ('admin', 'member', 'reader')")
    op.create_index(
        "uq_token_name", "token", ["name"], unique=True, sqlite_where=_LIVE, postgresql_where=_LIVE
    )
    for name in _SIGNED_IN:
        _make_anew(
            name,
            sa.Column("token_id", _ID, nullable=False),
            sa.ForeignKeyConstraint(["token_id"], ["token.id"], name=op.f(f"fk_{name}_token_id")),
            own="token.id",
            joined="JOIN token ON token.name = before.name AND token.removed_at IS NULL",
        )


def downgrade() -> None:
    # Whoever has a token, or a session, is an admin then.
    op.execute("UPDATE token SET removed_at = created_at WHERE removed_at IS NULL AND author IS NOT NULL")
    for name in _SIGNED_IN:
        _make_anew(
            name,
            sa.Column("name", sa.String(length=100), nullable=False),
            own="token.name",
            joined="JOIN token ON token.id = before.token_id AND token.removed_at IS NULL",
        )
    op.drop_index("uq_token_name", "token", sqlite_where=_LIVE, postgresql_where=_LIVE)
    with op.batch_alter_table("token", table_kwargs={"sqlite_autoincrement": True}) as token:
        token.drop_constraint(op.f("ck_token_role"), type_="check")
        for column in ("expires_at", "used_at", "author", "role"):
            token.drop_column(column)


def _make_anew(
    name: str, whose: sa.Column[Any], *rules: sa.ForeignKeyConstraint, own: str, joined: str
) -> None:
    """SQLite adds no column that must be there and refers to another table."""
    op.execute(f"CREATE TABLE before_it AS SELECT * FROM {name}")  # noqa: S608
    op.drop_table(name)
    used: list[sa.Column[Any]] = (
        [sa.Column("used_at", sa.BigInteger(), nullable=True)] if name == "login_code" else []
    )
    op.create_table(
        name,
        sa.Column("hash", sa.String(length=64), nullable=False),
        whose,
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        *used,
        *rules,
        sa.PrimaryKeyConstraint("hash", name=op.f(f"pk_{name}")),
    )
    also = ", before.used_at" if used else ""
    op.execute(
        f"INSERT INTO {name} SELECT before.hash, {own}, before.created_at, before.expires_at{also}"  # noqa: S608
        f" FROM before_it AS before {joined}"
    )
    op.execute("DROP TABLE before_it")
