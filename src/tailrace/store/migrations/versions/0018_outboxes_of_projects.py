"""What was told is found by its project, and is not kept for ever"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

_ENDED = sa.text("ended_at IS NOT NULL")


def upgrade() -> None:
    id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column(
        "outbox",
        sa.Column("project_id", id, nullable=True, comment="its run's, so that an index can name it"),
    )
    op.execute("UPDATE outbox SET project_id = (SELECT run.project_id FROM run WHERE run.id = outbox.run_id)")
    op.create_index("ix_outbox_project_id_id", "outbox", ["project_id", "id"])
    op.create_index("ix_outbox_ended", "outbox", ["ended_at"], sqlite_where=_ENDED, postgresql_where=_ENDED)


def downgrade() -> None:
    op.drop_index("ix_outbox_ended", "outbox")
    op.drop_index("ix_outbox_project_id_id", "outbox")
    op.drop_column("outbox", "project_id")
