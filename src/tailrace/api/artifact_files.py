"""Answers that are an artifact's bytes: ranges, conditions, and the headers that keep a file from being more than a file."""

from __future__ import annotations

import mimetypes
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from tailrace.api.conditions import YEAR_S, is_held, range_holds
from tailrace.api.flow import Flow
from tailrace.api.log_stretch import Unsatisfiable, range_of
from tailrace.artifacts.reading import Reader
from tailrace.store.artifacts import Stored

SANDBOX = "sandbox allow-scripts; default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; frame-ancestors 'self'"
"""What a job wrote runs, when a browser shows it, as a page of no origin: it has no cookie, no storage and no API of ours."""


def type_of(path: str) -> str:
    """The media type that a path's name tells."""
    kind, coding = mimetypes.guess_type(path)
    if kind is None or coding is not None:
        return "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


def attachment(name: str) -> str:
    """A Content-Disposition that saves under this name."""
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%' else "_" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def file_answer(reader: Reader, stored: Stored, request: Request, headers: dict[str, str]) -> Response:
    """The file, a range of it, or that the client has it already."""
    tag = f'"{stored.sha256}"'
    headers = {
        "etag": tag,
        "accept-ranges": "bytes",
        "content-security-policy": SANDBOX,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": f"private, max-age={YEAR_S}, immutable",
        **headers,
    }
    if is_held(request.headers, tag):
        return Response(status_code=304, headers=headers)
    start, stop, status = 0, stored.size, 200
    asked = request.headers.get("range")
    if asked is not None and range_holds(request.headers, tag):
        try:
            found = range_of(asked, stored.size)
        except Unsatisfiable:
            return Response(status_code=416, headers={**headers, "content-range": f"bytes */{stored.size}"})
        if found is not None:
            (start, stop), status = found, 206
            headers["content-range"] = f"bytes {start}-{stop - 1}/{stored.size}"
    headers["content-length"] = str(stop - start)
    return Flow(lambda: reader.blocks(stored, start, stop), status, headers)
