"""All tables together."""

from tailrace.store import (
    approval_tables,
    identity_tables,
    notification_tables,
    run_indexes,
    run_tables,
    tables,
)
from tailrace.store.columns import metadata

__all__ = [
    "approval_tables",
    "identity_tables",
    "metadata",
    "notification_tables",
    "run_indexes",
    "run_tables",
    "tables",
]
