"""The table of roles: what is in it is found by address, and what is not in it is nobody's but an admin's."""

from __future__ import annotations

import pytest

from tailrace.api.access import NEEDED, OPEN, Rules
from tailrace.domain.access import Role


def test_a_role_covers_those_below_it() -> None:
    assert [[one.covers(other) for other in Role] for one in Role] == [
        [True, True, True],
        [False, True, True],
        [False, False, True],
    ]


def test_no_route_stands_twice() -> None:
    routes = [*OPEN, *(route for routes in NEEDED.values() for route in routes)]
    assert len(set(routes)) == len(routes)


@pytest.mark.parametrize(
    ("method", "path", "role"),
    [
        ("GET", "/api/runs", Role.READER),
        ("HEAD", "/api/runs", Role.READER),
        ("POST", "/api/runs", Role.MEMBER),
        ("POST", "/api/runs/abort", Role.MEMBER),
        ("GET", "/api/runs/7", Role.READER),
        ("GET", "/api/plans/7/versions/2", Role.READER),
        ("POST", "/api/plans/7/versions/2/restore", Role.MEMBER),
        ("PUT", "/api/protected-labels/gpu", Role.ADMIN),
        ("GET", "/api/tokens", Role.ADMIN),
        ("DELETE", "/api/projects/7", Role.ADMIN),
    ],
)
def test_a_request_finds_the_role_of_its_route(method: str, path: str, role: Role) -> None:
    assert Rules().needed(method, path) is role


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api"),
        ("GET", "/api/"),
        ("GET", "/api/tokens/"),
        ("GET", "/api/tokens\n"),
        ("GET", "//api/tokens"),
        ("GET", "/api/none"),
        ("DELETE", "/api/runs/7"),
        ("TRACE", "/api/runs"),
        ("POST", "/api/sessions"),
        ("GET", "/api/runs/7/secrets"),
    ],
)
def test_what_is_not_in_the_table_is_not_there(method: str, path: str) -> None:
    """However close it is to something that is: a router may read an address otherwise than we do."""
    assert Rules().needed(method, path) is None
