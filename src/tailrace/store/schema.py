"""All tables together."""

from tailrace.store import identity_tables, notification_tables, tables
from tailrace.store.columns import metadata

__all__ = ["identity_tables", "metadata", "notification_tables", "tables"]
