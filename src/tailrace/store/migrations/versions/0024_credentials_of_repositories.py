"""Projects name the secret that opens their repository"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    op.add_column(
        "project",
        sa.Column(
            "credentials",
            sa.JSON(none_as_null=True),
            comment="the secret that opens the repository, by its name; null: none is wanted, or the address has it",
        ),
    )


def downgrade() -> None:
    op.drop_column("project", "credentials")
