"""What no route foresaw is answered as a problem, and tells strangers nothing of its cause."""

from __future__ import annotations

import json

import pytest
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection

from tailrace.api.failures import failure


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (OperationalError("SELECT secret", {}, Exception("connection refused")), 503),
        (NoConnection("all of the pool's connections are in use: secret"), 503),
        (DataError("SELECT secret", {}, Exception("NUL")), 400),
        (IntegrityError("SELECT secret", {}, Exception("no such row")), 500),
        (KeyError("secret"), 500),
    ],
)
def test_each_kind_of_failure_has_its_answer(error: Exception, status: int) -> None:
    answer = failure("GET", "/api/runs", error)
    assert (answer.status_code, answer.media_type) == (status, "application/problem+json")
    assert ("retry-after" in answer.headers) == (status == 503)
    assert "secret" not in json.loads(bytes(answer.body))["detail"]
