"""Databases that have their tables already: copies of one of each kind, which the first who wants it migrates."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tailrace.store.migrate import migrate
from tests.services import SESSION_FOLDER, Postgres

_POSTGRES = "migrated"


def migrated(path: Path) -> str:
    """The URL of a new SQLite database at `path`."""
    with _session() as folder:
        made = folder / "migrated.db"
        if not made.exists():
            new = folder / "migrating.db"
            migrate(f"sqlite:///{new}")
            new.rename(made)
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(made, path)
    path.chmod(0o600)
    return f"sqlite:///{path}"


@contextmanager
def migrated_in(postgres: Postgres) -> Generator[str]:
    """The URL of a new database on a PostgreSQL server, dropped at the end whoever still uses it."""
    with _session() as folder:
        made = folder / "migrated.postgres"
        if not made.exists():
            postgres.create(_POSTGRES)
            migrate(postgres.url(_POSTGRES))
            made.touch()
    with postgres.database(_POSTGRES) as url:
        yield url


@contextmanager
def _session() -> Generator[Path]:
    """The folder that the session's workers share, held by one of them."""
    folder = Path(os.environ[SESSION_FOLDER])
    with (folder / "migrated.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
