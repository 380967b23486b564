from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.services import Postgres, Session, shared_postgres

_SESSION = pytest.StashKey[Session]()


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def pytest_configure(config: pytest.Config) -> None:
    # Workers of xdist are children of this process and find the folder in their environment.
    if not _is_worker(config):
        config.stash[_SESSION] = Session()


def pytest_unconfigure(config: pytest.Config) -> None:
    session = config.stash.get(_SESSION, None)
    if session is not None:
        session.end()


@pytest.fixture(scope="session")
def postgres() -> Postgres:
    """A real PostgreSQL server, one for all workers of the session."""
    return shared_postgres()


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """The URL (`postgresql://…`) of a new, empty database on a real PostgreSQL server."""
    with postgres.database() as url:
        yield url
