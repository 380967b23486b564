"""Signing in: a one-time code, good for ten minutes, or a token becomes a session cookie."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

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
from tailrace.domain.access import Caller, Role
from tailrace.domain.errors import Unauthorised
from tailrace.domain.model import Time
from tailrace.store import Store
from tailrace.store.identity import (
    add_login_code,
    begin_session,
    begin_session_of_token,
    end_session,
)


class SessionWish(BaseModel):
    """Either the `code` of a sign-in link or a `token`."""

    model_config = ConfigDict(hide_input_in_errors=True)
    code: str | None = None
    token: str | None = Field(default=None, repr=False)

    @model_validator(mode="after")
    def _one(self) -> SessionWish:
        if (self.code is None) == (self.token is None):
            raise ValueError("give a code or a token, one of them")
        return self


class Identity(BaseModel):
    """Who asks and in which role; the server's `version`, and the `url` under which people and forges reach it."""

    name: str
    role: Role
    version: str
    url: str


class CodeWish(BaseModel):
    """`name`: the token that whoever opens the link is signed in as; the caller's if null. Another's needs an admin."""

    name: Annotated[str, Field(max_length=100)] | None = None
    next: Annotated[str, Field(pattern=r"^/([^/\\\s][^\\\s]*)?$", description="The page to go to.")] = "/"


class Code(BaseModel):
    code: str
    url: str
    expires_at: Time


def sessions_router(store: Store, url: str) -> APIRouter:
    """Routes for sign-in; `url` is the address under which people reach this server."""
    router = APIRouter(tags=["sessions"])

    def identity(caller: Caller) -> Identity:
        return Identity(name=caller.name, role=caller.role, version=__version__, url=url)

    @router.post("/api/login-codes", status_code=201)
    async def make_code(request: Request, wish: CodeWish | None = None) -> Code:
        """A one-time sign-in link for whoever opens it, as the caller or, for an admin, as somebody else."""
        wish = wish or CodeWish()
        caller: Caller = request.state.caller
        whose: int | str = caller.token  # and not who has the caller's name by then
        if wish.name is not None and wish.name != caller.name:
            whose = wish.name
            caller.check(Role.ADMIN, f"a sign-in link as {whose}")
        code = new_secret()
        expires = await store.write(add_login_code, hash_of(code), whose, CODE_LIFE_MS)
        return Code(code=code, url=f"{url}/login#code={code}&next={wish.next}", expires_at=expires)

    @router.post("/api/sessions", max_body_size=OPEN_BODY_BYTES)
    async def sign_in(wish: SessionWish, request: Request, response: Response) -> Identity:
        """Exchange a code or a token for a session cookie; the session ends when its token does."""
        if request.headers.get("origin") is not None:
            check_origin(request.headers)
        secret = new_secret()
        kept = hash_of(secret), SESSION_LIFE_MS
        if wish.code is not None:
            caller = await store.write(begin_session, hash_of(wish.code), *kept)
        else:
            caller = await store.write(begin_session_of_token, hash_of(wish.token or ""), *kept)
        if caller is None:
            raise Unauthorised(
                "this sign-in link is unknown, was used already or is older than ten minutes:"
                " print a new one with `tailrace login-link`"
                if wish.code is not None
                else "this token is not known here, or it was removed or has expired"
            )
        response.set_cookie(
            SESSION_COOKIE,
            secret,
            max_age=SESSION_LIFE_MS // 1000,
            httponly=True,
            samesite="strict",
            secure=url.startswith("https://"),
        )
        return identity(caller)

    @router.get("/api/session")
    async def who_am_i(request: Request) -> Identity:
        """Who the caller is."""
        return identity(request.state.caller)

    @router.delete("/api/session", status_code=204)
    async def sign_out(request: Request, response: Response) -> None:
        """End the caller's session."""
        secret = session_of(request.headers)
        if secret is not None:
            await store.write(end_session, hash_of(secret))
        response.delete_cookie(SESSION_COOKIE)

    return router
