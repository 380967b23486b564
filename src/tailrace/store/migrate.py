"""Migrations, run at each start under a lock, so that two servers may start at once.

Where the tables are up to date, Alembic is not even imported: a third of a second for whoever waits for a start.
"""

from __future__ import annotations

import fcntl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from tailrace.store.postgres import postgres_engine
from tailrace.store.sqlite import sqlite_engine

_MIGRATIONS = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 0x7461696C72616365 >> 1  # "tailrace" as a positive bigint


def migrate(url: str, revision: str = "head") -> None:
    """Bring the tables at `url` to `revision`; waits for another process that does the same."""
    with _locked_connection(url) as connection:
        if revision == "head" and _revision_of(connection) == newest_revision():
            return
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        config.attributes["connection"] = connection
        if revision == "base" or revision < (_revision_of(connection) or ""):  # "head" is above all numbers
            command.downgrade(config, revision)
        else:
            command.upgrade(config, revision)


def newest_revision() -> str:
    """The revision that tables are brought to: migrations are numbered, and no two have a number."""
    return max(path.name for path in (_MIGRATIONS / "versions").glob("[0-9]*.py")).partition("_")[0]


def _revision_of(connection: Connection) -> str | None:
    """The revision of the tables; None where there are none."""
    found = None
    if inspect(connection).has_table("alembic_version"):
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    connection.rollback()
    return found


@contextmanager
def _locked_connection(url: str) -> Generator[Connection]:
    if url.startswith("sqlite:///"):
        path = Path(url.removeprefix("sqlite:///"))
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.with_name(path.name + ".migrate-lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            engine = sqlite_engine(path)
            with engine.connect() as connection:
                path.chmod(0o600)
                yield connection
            engine.dispose()
        return
    engine = postgres_engine(url, size=1)
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _ADVISORY_LOCK})
        connection.commit()
        try:
            yield connection
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _ADVISORY_LOCK})
            connection.commit()
    engine.dispose()
