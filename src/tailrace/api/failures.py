"""What is answered when something failed that no route foresaw: a problem document as for all else, and a line in the log."""

from __future__ import annotations

import structlog
from fastapi import FastAPI, Request
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnection
from starlette.responses import Response

from tailrace.api.problems import problem

AFTER_S = 5
"""When somebody may come back whom the database did not answer, in seconds."""

_log = structlog.get_logger("api")


def handle_failures(app: FastAPI) -> None:
    """Answer what no route foresaw."""

    async def failed(request: Request, error: Exception) -> Response:
        return failure(request.scope.get("method", "GET"), request.url.path, error)

    app.add_exception_handler(SQLAlchemyError, failed)
    app.add_exception_handler(UnicodeEncodeError, failed)
    app.add_exception_handler(Exception, failed)


def failure(method: str, path: str, error: Exception) -> Response:
    """503 while the database is away, 400 for what it cannot keep, else 500; the cause is for those who run the server."""
    if isinstance(error, SQLAlchemyError) and _is_away(error):
        _log.error("the database does not answer", method=method, path=path, error=str(error))
        return problem(
            503,
            "the server's database does not answer: nothing was changed; try again",
            headers={"Retry-After": str(AFTER_S)},
        )
    if isinstance(
        error, DataError | UnicodeEncodeError
    ):  # the latter for halves of characters, such as "\\ud800"
        why = error.orig if isinstance(error, DataError) else error
        _log.warning("a request holds what no column can", method=method, path=path, error=str(why))
        return problem(400, "the request holds a text or number that the database cannot keep")
    _log.error("a request failed for a reason of ours", method=method, path=path, exc_info=error)
    return problem(500, "the server failed to answer this: its log has the cause")


def _is_away(error: SQLAlchemyError) -> bool:
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return isinstance(error, OperationalError | InterfaceError | NoConnection)
