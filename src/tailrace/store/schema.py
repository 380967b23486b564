"""All tables together."""

from tailrace.store import identity_tables, notification_tables, run_indexes, tables
from tailrace.store.columns import metadata

__all__ = ["identity_tables", "metadata", "notification_tables", "run_indexes", "tables"]
