"""Webhooks: verified over the raw body, then kept and turned into runs in one transaction, then answered."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple, NoReturn

import structlog
from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from tailrace.api.bodies import Bodies, BodyRefused
from tailrace.api.kept_headers import kept_headers
from tailrace.api.problems import problem
from tailrace.api.projects import webhook_secret_row
from tailrace.domain.errors import Invalid, Unauthorised
from tailrace.domain.events import Event
from tailrace.live.bus import Bus
from tailrace.live.scopes import PLANNING, QUEUE, wake_run
from tailrace.sources.base import BodyDiffers, Ignored, Source
from tailrace.sources.registry import Sources
from tailrace.store import Store
from tailrace.store.deliveries import NewDelivery, add_refusal
from tailrace.store.projects import WebhookTarget, find_webhook_target
from tailrace.store.sealing import SealingKey
from tailrace.triggers.accept import Accepted, accept

LARGE_BYTES = 64 * 1024
"""Bodies above this are read beside the loop."""

REFUSED = (
    "this webhook was refused: there is no such project, it has no webhook secret, or the signature does not match."
    " Who runs the server finds the cause at /api/refusals"
)
_log = structlog.get_logger("webhooks")


class DeliveryAnswer(BaseModel):
    """What became of a delivery: its id, and the ids of the runs that came of it."""

    delivery: int
    runs: list[int]
    state: str
    detail: str | None


class Sender(NamedTuple):
    """Who says that it sent a webhook, and for whom: `project` as the address names it, `target` None where there is none."""

    project: str
    target: WebhookTarget | None
    source: Source
    secret: str | None

    def verify(self, headers: Mapping[str, str], body: bytes) -> None:
        """Raise Unauthorised unless the sender knows the project's secret, BodyDiffers where only the body is wrong."""
        if self.target is None:
            raise Unauthorised(
                f"there is no project {self.project!r}, or this webhook is not signed with its secret"
            )
        if self.secret is None:
            raise Unauthorised(
                f"project {self.project!r} has no webhook secret: set one in the project and at the sender"
            )
        self.source.verify(self.secret.encode(), headers, body)


class Inbox:
    """Takes webhooks in: nothing is kept of a sender who does not know the secret but the headers."""

    def __init__(self, store: Store, bus: Bus, key: SealingKey, sources: Sources) -> None:
        self._store = store
        self._sources = sources
        self._bus = bus
        self._key = key

    async def find(self, name: str, project: str, headers: Mapping[str, str]) -> Sender:
        """Whom a webhook is for and who says that it sent it; `name` is the source's, `project` a name or an id.

        Raises Unauthorised, after keeping the headers, for whoever shows no proof at all: nobody reads what they send.
        """
        target = await self._store.read(find_webhook_target, project)
        hook, repository = (target.hook, target.repository) if target else (None, None)
        source = self._sources.source(name, hook, repository)
        secret = None if target is None else self._secret(target)
        sender = Sender(project, target, source, secret)
        try:
            sender.verify(headers, b"")
        except BodyDiffers:
            pass  # it is still to come
        except Unauthorised as error:
            await self._refuse(sender, headers, error)
        return sender

    async def verify(self, sender: Sender, headers: Mapping[str, str], body: bytes) -> None:
        """Raises Unauthorised, after keeping the headers of the refused.

        A stranger learns nothing of which projects there are: the cause is in the refusal, for who runs the server.
        """
        try:
            sender.verify(headers, body)
        except Unauthorised as error:
            await self._refuse(sender, headers, error)

    async def _refuse(self, sender: Sender, headers: Mapping[str, str], error: Unauthorised) -> NoReturn:
        source = sender.source
        _log.warning("a webhook was refused", project=sender.project, source=source.name, why=str(error))
        kept = kept_headers(headers, source.secret_headers, sender.secret)
        await self._store.write(add_refusal, sender.project[:200], source.name, str(error), kept)
        raise Unauthorised(REFUSED) from None

    def _secret(self, target: WebhookTarget) -> str | None:
        if target.sealed is None:
            return None
        try:
            return self._key.open(target.sealed, webhook_secret_row(target.id))
        except Invalid as error:
            _log.error("webhooks cannot be checked", project=target.id, why=str(error))
            raise HTTPException(503, "this server cannot check webhooks now: its log says why") from None

    async def take(self, sender: Sender, headers: Mapping[str, str], body: bytes) -> Accepted:
        """Keep a verified webhook and start what it triggers."""
        source, target = sender.source, sender.target
        assert target is not None, "it was verified"
        packed = await asyncio.to_thread(zlib.compress, body, 6)
        event, state, detail = None, "accepted", None
        try:
            found = await _read(source, headers, body)
            if isinstance(found, Ignored):
                state, detail = "ignored", found.why
            else:
                event = found
        except Invalid as error:
            state, detail = "invalid", str(error)
        new = NewDelivery(
            project_id=target.id,
            source=source.name,
            key=source.delivery_key(headers),
            event=source.event_name(headers),
            headers=kept_headers(headers, source.secret_headers, sender.secret),
            body=packed,
            body_file=None,
            state=state,
            detail=detail,
        )
        accepted = await self._store.write(accept, new, event)
        for run in (*accepted.runs, *accepted.ended):
            wake_run(self._bus, run)
        if accepted.runs and not accepted.again:
            self._bus.publish(PLANNING)
            self._bus.publish(QUEUE)
        return accepted


def webhooks_router(inbox: Inbox, names: Sequence[str]) -> APIRouter:
    """One route for each source: `POST /hooks/{source}/{project}`, where the project is its name or id."""
    router = APIRouter(tags=["webhooks"])
    bodies = Bodies()

    for name in names:
        router.add_api_route(
            f"/hooks/{name}/{{project}}",
            _receiver(inbox, bodies, name),
            methods=["POST"],
            name=f"receive_{name}",
            status_code=202,
            response_model=DeliveryAnswer,
            summary=f"A webhook of {name}: signed, kept, answered, run",
        )

    @router.post("/hooks/{source}/{project}", include_in_schema=False)
    async def unknown(source: str, project: str) -> Response:
        return problem(404, f"there is no source {source[:40]!r} of webhooks; allowed are {', '.join(names)}")

    return router


def _receiver(inbox: Inbox, bodies: Bodies, name: str):
    async def receive(project: str, request: Request) -> Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        sender = await inbox.find(name, project, headers)
        try:
            body = await bodies.read(request)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is there to read it
        except BodyRefused as refused:
            return refused.answer
        await inbox.verify(sender, headers, body)
        accepted = await inbox.take(sender, headers, body)
        if accepted.state == "invalid":
            return problem(400, f"{accepted.detail} (kept as delivery {accepted.delivery})")
        answer = DeliveryAnswer(
            delivery=accepted.delivery,
            runs=list(accepted.runs),
            state=accepted.state,
            detail="this delivery came before; nothing was started again"
            if accepted.again
            else accepted.detail,
        )
        return JSONResponse(answer.model_dump(), 202)

    return receive


async def _read(source: Source, headers: Mapping[str, str], body: bytes) -> Event | Ignored:
    """What happened; a large body is read beside the loop, which others wait for."""
    if len(body) <= LARGE_BYTES:
        return source.read(headers, body)
    return await asyncio.to_thread(source.read, headers, body)
