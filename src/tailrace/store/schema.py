"""All tables together."""

from tailrace.store import identity_tables, run_indexes, tables
from tailrace.store.columns import metadata

__all__ = ["identity_tables", "metadata", "run_indexes", "tables"]
