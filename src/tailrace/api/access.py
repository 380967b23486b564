"""Which role each route needs: one table, and nothing that is not in it is there for those who are no admin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from tailrace.domain.access import Role

OPEN = (
    "POST /api/sessions",
    "POST /api/agents/register",
    "POST /api/agents/farewell",
    "GET /api/plan-schema.json",
    "POST /hooks/github/{project}",
    "POST /hooks/gitlab/{project}",
    "POST /hooks/gitea/{project}",
    "POST /hooks/generic/{project}",
    "GET /healthz",
    "GET /readyz",
)
"""These ask for no role: what proves that one may is something else (a code, a credential, a key, a signature), or
nothing needs to."""

NEEDED: Mapping[Role, tuple[str, ...]] = {
    Role.READER: (
        "GET /api/session",
        "DELETE /api/session",
        "POST /api/login-codes",
        "GET /api/projects",
        "GET /api/projects/{id}",
        "GET /api/projects/{id}/hook",
        "GET /api/plans",
        "GET /api/plans/{id}",
        "GET /api/plans/{id}/parameters",
        "GET /api/plans/{id}/versions",
        "GET /api/plans/{id}/versions/{number}",
        "GET /api/plans/{id}/diff",
        "GET /api/runs",
        "GET /api/runs/{id}",
        "GET /api/runs/{id}/variables",
        "GET /api/runs/{id}/artifacts",
        "GET /api/runs/{id}/artifacts.zip",
        "GET /api/jobs/{id}",
        "GET /api/artifacts/{id}",
        "GET /api/artifacts/{id}/about",
        "GET /api/artifacts/{id}/view",
        "GET /api/logs/{log}",
        "GET /api/logs/{log}/spans",
        "GET /api/logs/{log}/search",
        "GET /api/logs/{log}/stream",
        "GET /api/search",
        "GET /api/live",
        "GET /api/archive",
        "GET /api/agents",
        "GET /api/agents/{id}",
        "GET /api/agents/{id}/changes",
        "GET /api/approvals",
        "GET /api/approvals/{id}",
        "GET /api/environments",
        "GET /api/environments/{id}",
        "GET /api/queue/pauses",
        "GET /api/protected-labels",
        "GET /api/secrets",
        "GET /api/channels",
        "GET /api/channels/{id}",
        "GET /api/notification-rules",
        "GET /api/notification-rules/{id}",
        "GET /api/notifications",
        "GET /api/notifications/{id}",
        "GET /api/badges",
        # By their key they are anybody's.
        "GET /api/badges/{project}.svg",
        "GET /api/badges/{project}/{plan}.svg",
        "GET /api/triggers",
        "GET /api/triggers/{id}",
        "GET /api/cron",
        "GET /api/deliveries",
    ),
    Role.MEMBER: (
        "POST /api/projects",
        "PATCH /api/projects/{id}",
        "PUT /api/projects/{id}/hook",
        "DELETE /api/projects/{id}/hook",
        "POST /api/projects/{id}/hook/try",
        "POST /api/plans",
        "POST /api/plans/check",
        "PUT /api/plans/{id}",
        "DELETE /api/plans/{id}",
        "POST /api/plans/{id}/restore",
        "POST /api/plans/{id}/versions/{number}/restore",
        "POST /api/runs",
        "POST /api/runs/abort",
        "POST /api/runs/{id}/abort",
        "POST /api/runs/{id}/rerun",
        "POST /api/jobs/{id}/retry",
        "POST /api/logs/{log}/verify",
        "DELETE /api/artifacts/{id}",
        "POST /api/approvals/{id}",
        "POST /api/queue/pause",
        "POST /api/queue/resume",
        "POST /api/triggers",
        "PATCH /api/triggers/{id}",
        "DELETE /api/triggers/{id}",
        "POST /api/triggers/{id}/enable",
        "POST /api/triggers/{id}/disable",
        "POST /api/triggers/{id}/check",
        # What came from outside, as it came: it may hold what its sender would not show to everybody.
        "GET /api/deliveries/{id}",
        "GET /api/deliveries/{id}/body",
        "POST /api/deliveries/{id}/replay",
        "POST /api/deliveries/replay",
        "GET /api/refusals",
        "PATCH /api/channels/{id}",
        "POST /api/channels/{id}/test",
        "POST /api/notification-rules",
        "PATCH /api/notification-rules/{id}",
        "DELETE /api/notification-rules/{id}",
        "POST /api/notifications/{id}/retry",
    ),
    Role.ADMIN: (
        "GET /api/tokens",
        "POST /api/tokens",
        "DELETE /api/tokens/{id}",
        "POST /api/agent-tokens",
        "PATCH /api/agents/{id}",
        "DELETE /api/agents/{id}",
        "PUT /api/protected-labels/{label}",
        "DELETE /api/protected-labels/{label}",
        "POST /api/secrets",
        "DELETE /api/secrets/{id}",
        "POST /api/channels",
        "DELETE /api/channels/{id}",
        "DELETE /api/projects/{id}",
        "POST /api/projects/{id}/restore",
        # Who may change them could let himself deploy.
        "POST /api/environments",
        "PUT /api/environments/{id}",
        "DELETE /api/environments/{id}",
        "POST /api/retention",
    ),
}
"""Some of them need an admin for a part of what they take: secrets of webhooks and channels, links for others."""


def describe_roles(paths: dict[str, Any]) -> None:
    """Say of each of OpenAPI's operations, as `x-role`, which role it needs."""
    for role, routes in NEEDED.items():
        for route in routes:
            method, _, path = route.partition(" ")
            operation = paths.get(path, {}).get(method.lower())
            if operation is not None:
                operation["x-role"] = role.value


class _Node(NamedTuple):
    """A part of an address: `parts` are those that may follow, "{}" stands for any; `roles` are by method."""

    parts: dict[str, _Node]
    roles: dict[str, Role]


class Rules:
    """The table, to be asked."""

    def __init__(self, needed: Mapping[Role, Iterable[str]] = NEEDED) -> None:
        self._root = _Node({}, {})
        for role, routes in needed.items():
            for route in routes:
                method, _, path = route.partition(" ")
                node = self._root
                for part in path.split("/"):
                    node = node.parts.setdefault("{}" if part.startswith("{") else part, _Node({}, {}))
                node.roles[method] = role

    def needed(self, method: str, path: str) -> Role | None:
        """The role that a request needs; None for a route that is not in the table. HEAD is as GET."""
        node: _Node | None = self._root
        for part in path.split("/"):
            node = node.parts.get(part) or node.parts.get("{}")
            if node is None:
                return None
        return node.roles.get("GET" if method == "HEAD" else method)
