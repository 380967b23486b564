"""Whatever is asked of the API as its own description has it, or nearly so, nothing of it is the server's fault."""

from __future__ import annotations

import json

import httpx2
import pytest

from tests.support.guesses import Guesser
from tests.support.house import House

ENDLESS = ("/api/logs/{log}/stream", "/api/live")
AT_ONCE = 8
"""Guesses at each of more than a hundred operations."""


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 12))])
def test_no_request_makes_the_server_fail(house: House, seed: int) -> None:
    """What is refused is refused with a problem that says why; the order is another one each time, so that things are there."""
    house.server()
    house.script_plan("true", project=house.project("p"))
    document = house.client.get("/openapi.json").json()
    guesser = Guesser(document, seed)
    operations = [one for one in guesser.operations() if one[1] not in ENDLESS]
    assert len(operations) > 100
    answered: dict[int, int] = {}
    for _ in range(AT_ONCE):
        for operation in operations:
            guess = guesser.guess(*operation)
            body = None if guess.body is None else json.dumps(guess.body).encode()
            request = house.client.build_request(
                guess.method,
                httpx2.URL(house.url + guess.path),
                content=body,
                headers={"Content-Type": "application/json"},
            )
            answer = house.client.send(request)
            assert answer.status_code < 500, f"{guess}: {answer.status_code} {answer.text[:500]}"
            if answer.status_code >= 400 and guess.method != "HEAD":
                problem = answer.json()
                assert answer.headers["content-type"] == "application/problem+json", guess
                assert problem["detail"], guess
            answered[answer.status_code] = answered.get(answer.status_code, 0) + 1
    assert answered[200] > 100, answered
    assert answered[201] > 3, answered
    messages = house.processes[0].messages()
    assert "Traceback" not in messages
