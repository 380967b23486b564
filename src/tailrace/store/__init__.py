"""What Tailrace knows, in SQL: tables, migrations, and transactions as plain functions of a connection."""

from tailrace.store.base import Store
from tailrace.store.open import open_store

__all__ = ["Store", "open_store"]
