"""Signing in: a one-time code, good for ten minutes, becomes a session cookie."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from tailrace import __version__
from tailrace.api.auth import (
    CODE_LIFE_MS,
    OPEN_BODY_BYTES,
    SESSION_COOKIE,
    SESSION_LIFE_MS,
    check_origin,
    hash_of,
    new_secret,
    session_of,
)
from tailrace.domain.errors import Unauthorised
from tailrace.domain.model import Time
from tailrace.store import Store
from tailrace.store.identity import add_login_code, begin_session, end_session


class SessionWish(BaseModel):
    code: str


class Identity(BaseModel):
    """Who asks; the server's `version`, and the `url` under which people and forges reach it."""

    name: str
    version: str
    url: str


class CodeWish(BaseModel):
    next: Annotated[str, Field(pattern=r"^/([^/\\\s][^\\\s]*)?$", description="The page to go to.")] = "/"


class Code(BaseModel):
    code: str
    url: str
    expires_at: Time


def sessions_router(store: Store, url: str) -> APIRouter:
    """Routes for sign-in; `url` is the address under which people reach this server."""
    router = APIRouter(tags=["sessions"])

    @router.post("/api/login-codes", status_code=201)
    async def make_code(request: Request, wish: CodeWish | None = None) -> Code:
        """A one-time sign-in link for whoever opens it, as the caller."""
        code = new_secret()
        expires = await store.write(add_login_code, hash_of(code), request.state.name, CODE_LIFE_MS)
        page = (wish or CodeWish()).next
        return Code(code=code, url=f"{url}/login#code={code}&next={page}", expires_at=expires)

    @router.post("/api/sessions", max_body_size=OPEN_BODY_BYTES)
    async def sign_in(wish: SessionWish, request: Request, response: Response) -> Identity:
        """Exchange a code for a session cookie."""
        if request.headers.get("origin") is not None:
            check_origin(request.headers)
        secret = new_secret()
        name = await store.write(begin_session, hash_of(wish.code), hash_of(secret), SESSION_LIFE_MS)
        if name is None:
            raise Unauthorised(
                "this sign-in link is unknown, was used already or is older than ten minutes:"
                " print a new one with `tailrace login-link`"
            )
        response.set_cookie(
            SESSION_COOKIE,
            secret,
            max_age=SESSION_LIFE_MS // 1000,
            httponly=True,
            samesite="strict",
            secure=url.startswith("https://"),
        )
        return Identity(name=name, version=__version__, url=url)

    @router.get("/api/session")
    async def who_am_i(request: Request) -> Identity:
        """Who the caller is."""
        return Identity(name=request.state.name, version=__version__, url=url)

    @router.delete("/api/session", status_code=204)
    async def sign_out(request: Request, response: Response) -> None:
        """End the caller's session."""
        secret = session_of(request.headers)
        if secret is not None:
            await store.write(end_session, hash_of(secret))
        response.delete_cookie(SESSION_COOKIE)

    return router
