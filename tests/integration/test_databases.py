"""Servers on a real PostgreSQL: what they answer while it is away, and what several of them share."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from collections.abc import Generator
from typing import Any

import psycopg
import pytest

from tests.services import Postgres
from tests.support.house import House

SECRET = "it's a secret of the tests"


@pytest.fixture(scope="module")
def database(postgres: Postgres) -> Generator[str]:
    """The URL of a database of PostgreSQL."""
    with postgres.database() as url:
        yield url


@pytest.fixture(scope="module")
def first(database: str, tmp_path_factory: pytest.TempPathFactory) -> Generator[House]:
    """A server on that database."""
    with House(tmp_path_factory.mktemp("first"), TAILRACE_DATABASE_URL=database) as house:
        house.server()
        yield house


def push(house: House, project: int | str, **more: Any) -> Any:
    """What is answered to a push that GitHub tells of."""
    body = json.dumps(
        {"ref": "refs/heads/main", "after": "a" * 40, "before": "b" * 40, "repository": {}, **more}
    ).encode()
    headers = {
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": str(uuid.uuid4()),
        "X-Hub-Signature-256": "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest(),
    }
    return house.client.post(f"/hooks/github/{project}", content=body, headers=headers)


def test_while_the_database_is_away_everybody_is_told_to_come_back(
    first: House, postgres: Postgres, database: str
) -> None:
    """Webhooks too: 503, and when it is there again the same server goes on."""
    project = first.project(secret=SECRET)
    name = database.rpartition("/")[2]
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
        try:
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
            answers = [push(first, project), first.client.get("/api/runs"), first.client.get("/api/projects")]
        finally:
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())
    for answer in answers:
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert int(answer.headers["retry-after"]) > 0
        assert "database does not answer" in answer.json()["detail"]
    assert push(first, project).status_code == 202
