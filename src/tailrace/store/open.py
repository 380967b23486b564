"""From a database URL to a store whose tables are up to date."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tailrace.domain.errors import Invalid
from tailrace.store.base import Store
from tailrace.store.migrate import migrate
from tailrace.store.postgres import PostgresStore
from tailrace.store.sqlite import SqliteStore


async def open_store(url: str) -> Store:
    """Migrate the database at `url` and open it.

    `sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://…`; raises Invalid for anything else.
    """
    if url.startswith("sqlite:///"):
        await asyncio.to_thread(migrate, url)
        return SqliteStore(sqlite_path(url))
    if url.startswith("postgresql://"):
        await asyncio.to_thread(migrate, url)
        return PostgresStore(url)
    raise Invalid(
        f"database_url: {url.split('://')[0]!r} is not known; allowed are sqlite:///FILE and postgresql://…"
    )


def sqlite_path(url: str) -> Path:
    """The file that a `sqlite:///` URL names."""
    return Path(url.removeprefix("sqlite:///"))
