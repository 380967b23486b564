"""Servers on a real PostgreSQL: what they answer while it is away, and what several of them share."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import shutil
import uuid
from collections.abc import Generator
from typing import Any

import httpx2
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


@pytest.fixture(scope="module")
def second(first: House, database: str, tmp_path_factory: pytest.TempPathFactory) -> Generator[House]:
    """Another server on that database, with the same key and a data directory of its own."""
    folder = tmp_path_factory.mktemp("second")
    (folder / "data").mkdir(mode=0o700)
    shutil.copy(first.data / "secret-key", folder / "data" / "secret-key")
    with House(folder, TAILRACE_DATABASE_URL=database) as house:
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


def test_no_text_and_no_number_of_a_stranger_is_our_failure(first: House) -> None:
    """NUL, half a character and what no column holds: PostgreSQL refuses each of them."""
    project = first.project()
    plan = first.plan('jobs: {a: {steps: [{run: "true"}]}}', project)
    stranger = httpx2.Client(base_url=first.url, timeout=30)
    client, poll = first.client, {"kind": "url", "url": "http://127.0.0.1:1/\0"}
    answers = [
        stranger.post("/hooks/gitea/%00"),
        stranger.get("/api/badges/a%00b.svg?key=x"),
        client.get("/api/runs?branch=a%00b"),
        client.get("/api/badges?project=1&plan=%00"),
        client.get(f"/api/plans/{plan}/versions/{2**63 - 1}"),
        client.get(f"/api/plans/{plan}/versions?cursor={2**31}"),
        client.post("/api/triggers", json={"plan": plan, "name": "nul", "settings": poll}),
        _json(client, "POST", "/api/runs", f'{{"plan": {plan}, "parameters": {{"A": "\\ud800"}}}}'),
        _json(client, "PUT", f"/api/projects/{project}/hook", '{"only": {"a": ["\\ud800"]}}'),
    ]
    found = {str(answer.request.url): answer.status_code for answer in answers}
    assert {url: status for url, status in found.items() if status >= 500} == {}
    refused = [answer for answer in answers if not answer.is_success]
    assert {answer.headers["content-type"] for answer in refused} == {"application/problem+json"}


def _json(client: httpx2.Client, method: str, path: str, body: str) -> httpx2.Response:
    return client.request(method, path, content=body, headers={"Content-Type": "application/json"})


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
            ready = first.client.get("/readyz")
        finally:
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())
    for answer in answers:
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert int(answer.headers["retry-after"]) > 0
        assert "database does not answer" in answer.json()["detail"]
    # Everybody may ask this: nobody learns where the database is.
    assert (ready.status_code, ready.json()["detail"]) == (
        503,
        "the database does not answer: the server's log says why",
    )
    assert push(first, project).status_code == 202


def test_a_large_body_is_there_for_every_server(first: House, second: House) -> None:
    """To be looked at, and acted on again."""
    project = first.project(secret=SECRET)
    first.script_plan("true", project=project)
    noise = secrets.token_hex(200_000)
    delivery = push(first, project, noise=noise).json()["delivery"]
    shown = second.get(f"/api/deliveries/{delivery}")
    assert shown["headers"]["x-github-event"] == "push"
    assert shown["size"] > len(noise)
    assert noise in second.client.get(f"/api/deliveries/{delivery}/body").text
    assert len(second.post(f"/api/deliveries/{delivery}/replay")["runs"]) == 1
