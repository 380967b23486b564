"""The ASGI application, put together from its routers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from fastapi import APIRouter, FastAPI
from starlette.responses import JSONResponse, Response

from tailrace import __version__
from tailrace.api.access import describe_roles
from tailrace.api.agent_artifacts import agent_artifacts_router
from tailrace.api.agent_socket import AgentSockets, agent_router
from tailrace.api.agents import agents_router
from tailrace.api.approvals import approvals_router
from tailrace.api.archive import archive_router
from tailrace.api.artifacts import artifacts_router
from tailrace.api.auth import App, Gate
from tailrace.api.badges import badges_router
from tailrace.api.channels import channels_router
from tailrace.api.cron import cron_router
from tailrace.api.deliveries import deliveries_router
from tailrace.api.environments import environments_router
from tailrace.api.failures import handle_failures
from tailrace.api.hooks import hooks_router
from tailrace.api.logs import logs_router
from tailrace.api.notifications import notifications_router, rules_router
from tailrace.api.page import page_routes
from tailrace.api.pauses import pauses_router
from tailrace.api.plan_checks import plan_checks_router
from tailrace.api.plan_parameters import plan_parameters_router
from tailrace.api.plan_versions import plan_versions_router
from tailrace.api.plans import plans_router
from tailrace.api.problems import handle_problems, problem
from tailrace.api.projects import projects_router
from tailrace.api.protected import protected_router
from tailrace.api.replays import Replays
from tailrace.api.runs import Runs, runs_router
from tailrace.api.search import search_router
from tailrace.api.secrets import secrets_router
from tailrace.api.sessions import sessions_router
from tailrace.api.tokens import tokens_router
from tailrace.api.tokens_used import TokensUsed
from tailrace.api.triggers import triggers_router
from tailrace.api.variables import variables_router
from tailrace.api.watch_live import live_router
from tailrace.api.watch_sse import describe_sse, sse_router
from tailrace.api.webhooks import Inbox, webhooks_router
from tailrace.artifacts.keeping import Keeper
from tailrace.artifacts.reading import Reader
from tailrace.artifacts.retention import ArtifactRetention
from tailrace.ingest.desk import Desk
from tailrace.live.hub import Describe
from tailrace.live.topics import TopicHub
from tailrace.logs.proof import Prover
from tailrace.logs.retention import Retention
from tailrace.logs.sealer import Sealer
from tailrace.logs.search import LogSearch
from tailrace.notify.outbox_retention import OutboxRetention
from tailrace.notify.sender import Sender
from tailrace.sources.base import Source
from tailrace.sources.registry import Sources
from tailrace.store.projects import get_webhook_target, list_projects
from tailrace.store.sealing import SealingKey
from tailrace.triggers.inbox_retention import InboxRetention

_log = structlog.get_logger("api")
MAX_BODY_BYTES = 32 * 1024 * 1024
"""Of any request: more than a webhook or a run's variables may have; nobody fills the memory."""

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


@dataclass(frozen=True)
class ArtifactParts:
    """What the routes of artifacts need."""

    keeper: Keeper
    reader: Reader
    retention: ArtifactRetention


@dataclass(frozen=True)
class Parts:
    """What the routes need; `url` is the server's address for people, `deliveries` the folder of large webhook bodies."""

    desk: Desk
    topics: TopicHub
    runs: Runs
    describe: Describe
    sockets: AgentSockets
    search: LogSearch
    key: SealingKey
    url: str
    deliveries: Path
    sealer: Sealer
    retention: Retention
    prover: Prover
    artifacts: ArtifactParts
    sender: Sender
    inbox_retention: InboxRetention
    outbox_retention: OutboxRetention
    tokens_used: TokensUsed


class _Described(FastAPI):
    """With the routes in its description that FastAPI does not serve itself."""

    def openapi(self) -> dict[str, Any]:
        described = super().openapi()
        describe_sse(described["paths"])
        describe_roles(described["paths"])
        return described


def create_app(parts: Parts, lifespan: Lifespan) -> App:
    """The application, behind its gate."""
    desk, kept = parts.desk, parts.artifacts
    app = _Described(
        title="Tailrace",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        max_body_size=MAX_BODY_BYTES,
    )
    handle_problems(app)
    handle_failures(app)
    sources = Sources()
    inbox = Inbox(desk.store, desk.bus, parts.key, sources)

    async def find_source(name: str, project: int) -> Source:
        target = await desk.store.read(get_webhook_target, project)
        return sources.source(name, target.hook, target.repository)

    replays = Replays(desk.store, desk.bus, find_source, parts.deliveries)
    for router in (
        sessions_router(desk.store, parts.url),
        tokens_router(desk.store, desk.bus),
        projects_router(desk.store, desk.bus, parts.key),
        plan_checks_router(desk.store, desk.lease_ms),
        plans_router(desk.store),
        plan_versions_router(desk.store),
        plan_parameters_router(desk.store),
        secrets_router(desk.store, parts.key),
        runs_router(parts.runs, desk.store),
        variables_router(desk.store),
        logs_router(desk.reader, parts.describe),
        search_router(desk.reader, parts.describe, desk.store, parts.search),
        archive_router(
            desk.store,
            parts.sealer,
            parts.retention,
            kept.retention,
            parts.inbox_retention,
            parts.outbox_retention,
            parts.prover,
        ),
        sse_router(desk.hub),
        live_router(desk.hub, parts.topics),
        approvals_router(desk.store, desk.bus),
        environments_router(desk.store),
        pauses_router(desk.store, desk.bus),
        protected_router(desk.store, desk.bus),
        agents_router(desk.store, desk.bus, desk.lease_ms),
        channels_router(desk.store, parts.key, parts.sender),
        rules_router(desk.store),
        notifications_router(desk.store, desk.bus),
        badges_router(desk.store, parts.key, parts.url),
        triggers_router(desk.store, desk.bus),
        cron_router(desk.store),
        deliveries_router(desk.store, replays),
        hooks_router(desk.store),
        webhooks_router(inbox, sources.names),
        artifacts_router(desk.store, kept.reader, kept.retention, parts.key),
        agent_router(parts.sockets),
        agent_artifacts_router(desk.store, kept.keeper, kept.reader, parts.key),
        _health_router(desk, parts.sealer),
    ):
        app.include_router(router)
    app.router.routes.extend(page_routes())
    return Gate(app, desk.store, parts.tokens_used)


def _health_router(desk: Desk, sealer: Sealer) -> APIRouter:
    router = APIRouter(tags=["health"])

    @router.api_route("/healthz", methods=["GET"])
    @router.api_route("/healthz", methods=["HEAD"], include_in_schema=False)
    async def alive() -> Response:
        """The process answers."""
        return JSONResponse({"status": "ok", "version": __version__})

    @router.api_route("/readyz", methods=["GET"])
    @router.api_route("/readyz", methods=["HEAD"], include_in_schema=False)
    async def ready() -> Response:
        """The store answers and agents find room; `archive` says whether sealed logs can be kept and read."""
        try:
            await desk.store.read(list_projects, 0, 1)
        except Exception as error:
            # Everybody may ask this: where the database is, only the log says.
            _log.error("the database does not answer", error=str(error))
            return problem(503, "the database does not answer: the server's log says why")
        if (trouble := desk.room.trouble) is not None:
            return problem(503, trouble)
        away = sealer.state.away
        archive = "ok" if away is None else f"away: {away}"  # logs wait in the live tail: the server can work
        return JSONResponse({"status": "ok", "version": __version__, "archive": archive})

    @router.api_route(
        "/api/{path:path}", methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"], include_in_schema=False
    )
    async def unknown(path: str) -> Response:
        return problem(404, f"there is no /api/{path}: the API is described at /openapi.json")

    return router
