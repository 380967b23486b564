"""Artifacts for runners: announced, sent, fetched; with the token that came with their lease, and for its attempt alone."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from tailrace.api.artifact_files import file_answer
from tailrace.api.auth import bearer
from tailrace.api.numbers import RowId
from tailrace.api.problems import problem
from tailrace.artifacts.keeping import Keeper, NotAnnounced
from tailrace.artifacts.reading import Reader
from tailrace.domain.artifacts import AGENT_PATH, MAX_BYTES, Announcement, Offering, Taken, upload_claim
from tailrace.domain.errors import Invalid, Unauthorised
from tailrace.domain.wire import faults_of
from tailrace.store import Store
from tailrace.store.artifacts import Carrier, find_carrier, find_offered, offer
from tailrace.store.sealing import SealingKey


def agent_artifacts_router(store: Store, keeper: Keeper, reader: Reader, key: SealingKey) -> APIRouter:
    """Routes for runners."""
    router = APIRouter(tags=["agents"], prefix=AGENT_PATH, include_in_schema=False)

    async def carrier_of(attempt: int, request: Request) -> Carrier:
        token = bearer(request.headers)
        if token is None:
            raise Unauthorised("no token: a runner calls with the one that came with its lease")
        carrier = await store.read(find_carrier, attempt)
        claim = upload_claim(attempt, carrier.cookie, carrier.agent_id or 0) if carrier else ""
        if carrier is None or not key.proves(token, claim):
            raise Unauthorised(f"this token is not the one of attempt {attempt} and its agent")
        carrier.check_held()
        return carrier

    @router.post("/{attempt}")
    async def announce(attempt: RowId, request: Request) -> Taken:
        carrier = await carrier_of(attempt, request)
        try:
            said = Announcement.model_validate_json(await request.body())
        except ValidationError as error:
            raise Invalid(f"the announcement cannot be understood: {faults_of(error)}") from error
        return Taken(files=tuple(await keeper.announce(carrier, said)))

    @router.put("/{attempt}/{id}", status_code=204, max_body_size=MAX_BYTES)
    async def receive(attempt: RowId, id: RowId, request: Request) -> Response:
        carrier = await carrier_of(attempt, request)
        try:
            await keeper.receive(carrier, id, _body(request))
        except NotAnnounced as error:
            return problem(422, str(error))
        except ClientDisconnect:
            pass  # nobody is left to be answered
        return Response(status_code=204)

    @router.get("/{attempt}/of/{job:path}")
    async def list_offered(attempt: RowId, job: str, request: Request) -> Offering:
        carrier = await carrier_of(attempt, request)
        return Offering(files=tuple(await store.read(offer, carrier, job)))

    @router.get("/{attempt}/{id}")
    async def send(attempt: RowId, id: RowId, request: Request) -> Response:
        carrier = await carrier_of(attempt, request)
        stored = await store.read(find_offered, carrier, id)
        return file_answer(reader, stored, request, {"content-type": "application/octet-stream"})

    return router


async def _body(request: Request) -> AsyncIterator[bytes]:
    async for part in request.stream():
        yield part
