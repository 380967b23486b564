"""Errors as `application/problem+json`, with a `detail` that says what to do."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope, Send

from tailrace.api.faults import tell_fault
from tailrace.domain.errors import (
    ArchiveAway,
    ArtifactRemoved,
    Conflict,
    Crowded,
    Forbidden,
    Invalid,
    LeaseLost,
    LogRemoved,
    MoveRefused,
    NoRoom,
    NotFound,
    SourceUnreachable,
    TailraceError,
    TooLarge,
    Unauthorised,
)
from tailrace.domain.plan import PlanInvalid
from tailrace.domain.text import storable

PLAN_ERRORS_SHOWN = 100

_STATUS: tuple[tuple[type[TailraceError], int], ...] = (
    (LogRemoved, 410),
    (ArtifactRemoved, 410),
    (NotFound, 404),
    (Conflict, 409),
    (MoveRefused, 409),
    (LeaseLost, 409),
    (Unauthorised, 401),
    (Forbidden, 403),
    (SourceUnreachable, 502),
    (ArchiveAway, 503),
    (NoRoom, 503),
    (TooLarge, 413),
    (Invalid, 400),
)


def problem(
    status: int,
    detail: str,
    *,
    errors: list[dict[str, Any]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A problem document."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": storable(detail),  # it may quote what was sent
    }
    if errors:
        body["errors"] = errors
    return Response(
        orjson.dumps(body), status, media_type="application/problem+json", headers=dict(headers or {})
    )


def crowded(error: Crowded) -> Response:
    """503, with when to come back."""
    return problem(503, str(error), headers={"Retry-After": str(error.after_s)})


async def refuse_socket(scope: Scope, send: Send, answer: Response) -> None:
    """Answer a WebSocket handshake, whose `websocket.connect` was received, by a problem."""
    if "websocket.http.response" in scope.get("extensions", {}):
        head = {"status": answer.status_code, "headers": list(answer.raw_headers)}
        await send({"type": "websocket.http.response.start", **head})
        await send({"type": "websocket.http.response.body", "body": bytes(answer.body)})
    else:
        await send({"type": "websocket.close", "code": 1008})


def handle_problems(app: FastAPI) -> None:
    """Answer every error that is raised on purpose as a problem document."""

    async def refused(_request: Request, error: Exception) -> Response:
        status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
        return problem(status, str(error), errors=list(error.errors) if isinstance(error, Invalid) else None)

    async def no_room(_request: Request, error: Exception) -> Response:
        assert isinstance(error, Crowded)
        return crowded(error)

    async def plan_invalid(_request: Request, error: Exception) -> Response:
        assert isinstance(error, PlanInvalid)
        shown = [
            {"line": fault.line, "column": fault.column, "message": fault.message}
            for fault in error.errors[:PLAN_ERRORS_SHOWN]
        ]
        return problem(422, "\n".join(str(error).splitlines()[:PLAN_ERRORS_SHOWN]), errors=shown)

    async def validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        body = getattr(getattr(request.scope.get("route"), "body_field", None), "field_info", None)
        faults = [tell_fault(fault, getattr(body, "annotation", None)) for fault in error.errors()]
        words = "; ".join(f"{fault.place}: {fault.message}" for fault in faults)
        return problem(422, words, errors=[fault._asdict() for fault in faults])

    async def http(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return problem(error.status_code, str(error.detail), headers=error.headers)

    app.add_exception_handler(TailraceError, refused)
    app.add_exception_handler(Crowded, no_room)
    app.add_exception_handler(PlanInvalid, plan_invalid)
    app.add_exception_handler(RequestValidationError, validation)
    app.add_exception_handler(HTTPException, http)
