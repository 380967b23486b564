from __future__ import annotations

import gc
from collections.abc import Generator, Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.services import Postgres, Session, shared_postgres
from tests.support.house import House

_SESSION = pytest.StashKey[Session]()

# How long an example takes says something of the machine and nothing of the code; and what is tried is the same each
# time, so that no change fails for what another one broke. `make test-long` tries what was not tried before.
settings.register_profile(
    "same", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", settings.get_profile("same"), derandomize=False, print_blob=True)
settings.load_profile("same")


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


def pytest_collection_finish() -> None:
    # Thousands of tests and all that they import stay to the end: no search for garbage need go through them each time.
    gc.freeze()


@pytest.fixture(scope="session")
def postgres() -> Postgres:
    """A real PostgreSQL server, one for all workers of the session."""
    return shared_postgres()


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """The URL (`postgresql://…`) of a new, empty database on a real PostgreSQL server."""
    with postgres.database() as url:
        yield url


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Generator[House]:
    """A house with `tailrace up` running, shared: each test makes its own project, and leaves no run under way."""
    with House(tmp_path_factory.mktemp("home")) as home:
        home.up()
        yield home
