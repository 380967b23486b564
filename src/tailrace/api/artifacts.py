"""Artifacts for people: listed, downloaded one by one or as a zip, shown in place, removed."""

from __future__ import annotations

import time
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from tailrace.api.artifact_files import Flow, attachment, file_answer, type_of
from tailrace.api.lists import Cursor, Page, page
from tailrace.api.logs import parameter
from tailrace.api.numbers import RowId
from tailrace.artifacts.reading import Reader
from tailrace.artifacts.retention import ArtifactRetention
from tailrace.artifacts.zipping import zipped
from tailrace.domain.errors import NotFound, Unauthorised
from tailrace.domain.model import ArtifactView
from tailrace.store import Store
from tailrace.store.artifacts import (
    find_in_attempt,
    find_place,
    find_stored,
    get_artifact,
    list_artifacts,
    list_for_zip,
)
from tailrace.store.runs import get_run
from tailrace.store.sealing import SealingKey

VIEW_LIFE_MS = 12 * 3600 * 1000
VIEW_PATH = "/artifacts"
_RANGE: dict[str, Any] = {
    "parameters": [
        parameter("Range", "One range of bytes.", "string", "header"),
        parameter("If-None-Match", "304 when this ETag is the file's.", "string", "header"),
        parameter("If-Range", "The Range is heeded only when this ETag is the file's.", "string", "header"),
    ]
}


def artifacts_router(
    store: Store, reader: Reader, retention: ArtifactRetention, key: SealingKey
) -> APIRouter:
    """Routes for artifacts."""
    router = APIRouter(tags=["artifacts"])

    @router.get("/api/runs/{id}/artifacts")
    async def show_all(
        id: RowId,
        job: Annotated[str | None, Query(description="Only those of the job of this name.")] = None,
        limit: Annotated[int, Query(ge=1, le=1000, description="How many items at most.")] = 1000,
        cursor: Cursor = None,
    ) -> Page[ArtifactView]:
        """What the run's jobs kept, by job, attempt and path."""
        found = await store.read(list_artifacts, id, job, cursor, limit + 1)
        if not found:
            await store.read(get_run, id)  # raises NotFound
        return page(found, limit, [one.id for one in found])

    @router.get("/api/runs/{id}/artifacts.zip", response_class=Response)
    async def zip_all(
        id: RowId,
        job: Annotated[str | None, Query(description="Only those of the job of this name.")] = None,
    ) -> Response:
        """What the last attempts of the run's jobs kept, each in a folder with its job's name; of one job: without it."""
        files = await store.read(list_for_zip, id, job)
        run = await store.read(get_run, id)
        if not files:
            raise NotFound("artifact of run" if job is None else f"artifact of job {job} of run", id)
        name = f"{run.plan_name}-{run.number}{f'-{job}' if job else ''}.zip"
        headers = {
            "content-type": "application/zip",
            "content-disposition": attachment(name),
            "x-content-type-options": "nosniff",
            "cache-control": "private, no-cache",
        }
        return Flow(lambda: zipped(reader, files, by_job=job is None), 200, headers)

    async def download(id: RowId, request: Request) -> Response:
        """The artifact's bytes, to be saved; never to be shown as a page of this server: see `/view`."""
        stored = await store.read(find_stored, id)
        headers = {
            "content-type": type_of(stored.path),
            "content-disposition": attachment(stored.path.rsplit("/", 1)[-1]),
        }
        return file_answer(reader, stored, request, headers)

    # One description for both methods would give them one operation id.
    path = "/api/artifacts/{id}"
    router.add_api_route(path, download, methods=["GET"], response_class=Response, openapi_extra=_RANGE)
    router.add_api_route(path, download, methods=["HEAD"], include_in_schema=False)

    @router.get("/api/artifacts/{id}/about")
    async def show(id: RowId) -> ArtifactView:
        """What is known of the artifact."""
        return await store.read(get_artifact, id)

    @router.get("/api/artifacts/{id}/view", status_code=307, response_class=Response)
    async def view(id: RowId) -> Response:
        """Where a browser shows the artifact, and what it refers to of the same attempt: good for twelve hours."""
        attempt, path = await store.read(find_place, id)
        until = _now_ms() + VIEW_LIFE_MS
        token = f"{attempt}-{until}-{key.sign(_claim(attempt, until))}"
        return RedirectResponse(f"{VIEW_PATH}/{token}/{quote(path)}", headers={"cache-control": "no-store"})

    @router.delete("/api/artifacts/{id}", status_code=204)
    async def remove(id: RowId, request: Request) -> None:
        """Remove it before its time."""
        await store.read(find_stored, id)
        await retention.remove(id, f"removed by {request.state.name}")

    @router.api_route(VIEW_PATH + "/{token}/{path:path}", methods=["GET", "HEAD"], include_in_schema=False)
    async def show_in_place(token: str, path: str, request: Request) -> Response:
        """Without a session: what is shown has no origin, and so no cookie. The token names one attempt's artifacts alone."""
        attempt = _attempt_of(token, key)
        path = f"{path}index.html" if path == "" or path.endswith("/") else path
        stored = await store.read(find_in_attempt, attempt, path)
        if stored is None:
            raise NotFound("artifact", path[:200])
        headers = {
            "content-type": type_of(stored.path),
            "access-control-allow-origin": "*",  # fonts and modules are asked for by a page of no origin
            "cache-control": "private, max-age=300",
        }
        return file_answer(reader, stored, request, headers)

    return router


def _claim(attempt: int, until: int) -> str:
    return f"view of attempt {attempt} until {until}"


def _attempt_of(token: str, key: SealingKey) -> int:
    """The attempt whose artifacts a token shows; raises Unauthorised."""
    attempt, _, rest = token.partition("-")
    until, _, signature = rest.partition("-")
    good = all(part.isascii() and part.isdigit() and len(part) < 19 for part in (attempt, until))
    if not good or not key.proves(signature, _claim(int(attempt), int(until))) or int(until) < _now_ms():
        raise Unauthorised("this address is not good any more: open the artifact again from its run")
    return int(attempt)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
