"""How a project's generic webhooks are read"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.add_column(
        "project",
        sa.Column(
            "hook",
            sa.JSON(none_as_null=True),
            comment="how generic webhooks are read; null: by the usual names",
        ),
    )


def downgrade() -> None:
    op.drop_column("project", "hook")
