"""The web page: static files from the package, or from the checkout that the package is installed from."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

_PACKAGE = Path(__file__).parents[1]
_PLACES = (_PACKAGE / "page", _PACKAGE.parents[1] / "web" / "dist")

_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self' ws: wss:;"
    " frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_MISSING = (
    "<!doctype html><title>Tailrace</title><p>The server runs, but its page is not built:"
    " run <code>make page</code> in the checkout, or install the wheel."
    " The API is described at <a href=/openapi.json>/openapi.json</a>."
)


def page_folder() -> Path | None:
    """Where the built page is, if it is anywhere."""
    return next((place for place in _PLACES if (place / "index.html").is_file()), None)


def page_routes() -> list[BaseRoute]:
    """Every address that no other route knows shows the page, which knows its own addresses."""
    folder = page_folder()
    files = (
        {entry.name for entry in folder.iterdir() if entry.is_file()} if folder is not None else set[str]()
    )

    async def index(request: Request) -> Response:
        if folder is None:
            return HTMLResponse(_MISSING, 503)
        name = request.path_params.get("path", "")
        if name in files:
            return FileResponse(folder / name, headers=_HEADERS)
        return FileResponse(folder / "index.html", headers=_HEADERS)

    routes: list[BaseRoute] = []
    if folder is not None and (folder / "assets").is_dir():
        routes.append(Mount("/assets", Assets(directory=folder / "assets")))
    return [*routes, Route("/{path:path}", index)]


class Assets(StaticFiles):
    """Files with a hash of their content in their name: they never change."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response
