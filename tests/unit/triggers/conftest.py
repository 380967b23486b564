"""Triggers are tried on SQLite and on a real PostgreSQL, as the store is."""

from __future__ import annotations

from tests.unit.store.conftest import connection, database_url, engine, engines, store

__all__ = ["connection", "database_url", "engine", "engines", "store"]
