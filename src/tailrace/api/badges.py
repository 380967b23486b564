"""Status badges: an SVG for a README. Its address has a key, which shows this project's badges and nothing else."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote
from xml.sax.saxutils import escape

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from tailrace.api.auth import BADGES
from tailrace.api.numbers import RowId
from tailrace.domain.columns import columns
from tailrace.domain.errors import NotFound, Unauthorised
from tailrace.domain.states import RunState
from tailrace.domain.text import Text, storable
from tailrace.store import Store
from tailrace.store.badges import Badged, find_badge, find_badged
from tailrace.store.projects import get_project
from tailrace.store.sealing import SealingKey

_COLUMN_PX = 6.6
_WORDS = {
    RunState.PASSED: ("passing", "#2e7d32"),
    RunState.FAILED: ("failing", "#c62828"),
    None: ("no runs", "#616161"),
}
_HEADERS = {
    "Cache-Control": "no-cache, max-age=0",  # those who show READMEs keep copies unless they are told
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
}


class BadgeView(BaseModel):
    """`url` needs no token; `markdown` shows it in a README, with a link to the project's runs."""

    url: str
    markdown: str


def badges_router(store: Store, key: SealingKey, server_url: str) -> APIRouter:
    """Routes for badges."""
    router = APIRouter(tags=["badges"])

    @router.get("/api/badges")
    async def address(
        project: Annotated[RowId, Query()],
        plan: Annotated[Text | None, Query(max_length=100, description="Its name.")] = None,
        branch: Annotated[Text | None, Query(max_length=500)] = None,
    ) -> BadgeView:
        """The address of a badge, which anybody who has it can see."""
        shown = await store.read(get_project, project)
        name = shown.name
        await store.read(find_badge, Badged(project, name), plan, branch)
        path = quote(name, safe="") + (f"/{quote(plan, safe='')}" if plan else "")
        query = f"?key={key.sign(_claim(project))}" + (f"&branch={quote(branch, safe='')}" if branch else "")
        url = f"{server_url}{BADGES}{path}.svg{query}"
        return BadgeView(url=url, markdown=f"[![{plan or name}]({url})]({server_url}/runs?project={project})")

    async def show(project: str, plan: str | None, request: Request) -> Response:
        query = request.query_params
        found = await store.read(find_badged, storable(project))
        if not getattr(request.state, "name", None) and not (
            found is not None and key.proves(query.get("key", ""), _claim(found.id))
        ):
            # Also where there is no such project: strangers learn no names.
            raise Unauthorised("this badge's address is not good: take it anew from the project")
        if found is None:
            raise NotFound("project", project[:100])
        branch = query.get("branch")
        facts = await store.read(
            find_badge, found, plan and storable(plan), None if branch is None else storable(branch)
        )
        words, colour = _WORDS[facts.state]
        return Response(draw(facts.name, words, colour), media_type="image/svg+xml", headers=_HEADERS)

    @router.get("/api/badges/{project}.svg", response_class=Response)
    async def of_project(project: str, request: Request) -> Response:
        """Failing when the newest run of one of its plans failed; `key` as `/api/badges` gives it, or a token."""
        return await show(project, None, request)

    @router.get("/api/badges/{project}/{plan}.svg", response_class=Response)
    async def of_plan(project: str, plan: str, request: Request) -> Response:
        """How the newest run of a plan ended, on `branch` or on any."""
        return await show(project, plan, request)

    return router


def _claim(project_id: int) -> str:
    return f"badges of project {project_id}"


def draw(label: str, words: str, colour: str) -> str:
    """A badge as SVG."""
    left, right = (round(10 + _COLUMN_PX * sum(columns(sign) for sign in text)) for text in (label, words))
    texts = "".join(
        f'<text x="{x}" y="14" textLength="{width - 10}">{escape(text)}</text>'
        for text, x, width in ((label, left / 2, left), (words, left + right / 2, right))
    )
    title = escape(f"{label}: {words}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img">'
        f"<title>{title}</title>"
        f'<clipPath id="r"><rect width="{left + right}" height="20" rx="3"/></clipPath>'
        f'<g clip-path="url(#r)"><rect width="{left}" height="20" fill="#424242"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{colour}"/></g>'
        f'<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">{texts}</g>'
        "</svg>\n"
    )
