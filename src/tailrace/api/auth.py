"""Who calls: every request and every watch names a token or a session, except those that make one.

A pure ASGI middleware, in front of everything, so that no route can forget it.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from functools import lru_cache
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tailrace.api.access import Rules
from tailrace.api.failures import failure
from tailrace.api.problems import problem, refuse_socket
from tailrace.api.tokens_used import TokensUsed
from tailrace.domain.access import Caller, Role, refusal
from tailrace.domain.errors import Unauthorised
from tailrace.live.connections import Client
from tailrace.store import Store
from tailrace.store.identity import find_session, find_token

SESSION_COOKIE = "tailrace_session"
SESSION_LIFE_MS = 30 * 24 * 3600 * 1000
CODE_LIFE_MS = 10 * 60 * 1000

FAREWELL = "/api/agents/farewell"
"""It asks for an agent's credential instead of a token."""

BADGES = "/api/badges/"
"""Below it a request may have a key in its address instead of a token: READMEs show badges to everybody."""

OPEN_BODY_BYTES = 64 * 1024
"""The most that someone who has not said who they are may send, but for webhooks."""

ASK_AGAIN_S = 1.0
"""A caller whose body took longer is asked for again: meanwhile the token may have been removed."""

BODY_WITHIN_S = 60.0
"""For so long the body of a request may come."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_OPEN_API = {
    ("POST", "/api/sessions"),
    ("POST", "/api/agents/register"),
    ("POST", FAREWELL),
    ("GET", "/api/plan-schema.json"),  # editors have no token
}
_SAFE = {"GET", "HEAD", "OPTIONS"}
_SIGN_IN = (
    "call with `Authorization: Bearer TOKEN`, or sign in with the link that `tailrace login-link` prints"
)


def hash_of(secret: str) -> str:
    """How a token, code or credential is stored: SHA-256, as hexadecimal. They are long and random, so no salt."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def new_secret() -> str:
    """256 random bits, as hexadecimal: safe in a URL, and never taken for an option of a command."""
    return secrets.token_hex(32)


def bearer(headers: Headers) -> str | None:
    """The token of an Authorization header."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" and token.strip() else None


class Gate:
    """Lets a request to /api through when it says who it is and may do what it asks for.

    `scope["state"]["caller"]` is then the Caller, `scope["state"]["name"]` its name.
    """

    def __init__(
        self,
        app: App,
        store: Store,
        used: TokensUsed,
        *,
        ask_again_s: float = ASK_AGAIN_S,
        body_within_s: float = BODY_WITHIN_S,
    ) -> None:
        self._app = app
        self._store = store
        self._used = used
        self._ask_again_s = ask_again_s
        self._body_within_s = body_within_s
        self._rules = Rules()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and _holds_nul(scope):
            await _refuse(scope, receive, send, problem(400, "the address holds a NUL character (%00)"))
            return
        if scope["type"] not in ("http", "websocket") or not self._guarded(scope):
            await self._app(scope, receive, send)
            return
        try:
            caller = await self._who(scope)
        except Unauthorised as error:
            answer = problem(401, str(error), headers={"WWW-Authenticate": "Bearer"})
            await _refuse(scope, receive, send, answer)
            return
        except SQLAlchemyError as error:
            answer = failure(scope.get("method", "GET"), scope["path"], error)
            await _refuse(scope, receive, send, answer)
            return
        self._used.note(caller.token)
        refused = self._refused(scope, caller)
        if refused is not None:
            await _refuse(scope, receive, send, refused)
            return
        state = scope.setdefault("state", {})
        state["caller"], state["name"] = caller, caller.name
        if scope["type"] == "http" and scope["method"] not in _SAFE:
            receive = self._asking_again(scope, receive, caller)
        await self._app(scope, receive, send)

    def _asking_again(self, scope: Scope, receive: Receive, caller: Caller) -> Receive:
        """Receives a body, and its end only while `caller` still may; raises HTTPException, which the routes let pass.

        Who holds a body back would else act with a token that was removed meanwhile.
        """
        begun = time.monotonic()
        whole = False

        async def receive_body() -> MutableMapping[str, Any]:
            nonlocal whole
            if whole:
                return await receive()
            try:
                async with asyncio.timeout(max(0.0, begun + self._body_within_s - time.monotonic())):
                    message = await receive()
            except TimeoutError:
                why = f"the body did not come within {self._body_within_s:g} s: nothing was done"
                raise HTTPException(408, why) from None
            whole = message["type"] != "http.request" or not message.get("more_body", False)
            if whole and time.monotonic() - begun >= self._ask_again_s:
                await self._ask_again(scope, caller)
            return message

        return receive_body

    async def _ask_again(self, scope: Scope, caller: Caller) -> None:
        try:
            now = await self._who(scope)
        except Unauthorised as error:
            raise HTTPException(401, str(error), headers={"WWW-Authenticate": "Bearer"}) from None
        except SQLAlchemyError as error:
            answer = failure(scope["method"], scope["path"], error)
            why = "the server's database does not answer: nothing was done; try again"
            raise HTTPException(answer.status_code, why) from None
        if now != caller:
            raise HTTPException(401, f"{caller.name} may not call any more: nothing was done; {_SIGN_IN}")

    def _guarded(self, scope: Scope) -> bool:
        path = scope["path"]
        if path.startswith(BADGES) and scope.get("method") in _SAFE and b"key=" in scope["query_string"]:
            return False  # the route looks at the key
        if (scope.get("method"), path) in _OPEN_API:
            return False
        return path.startswith("/api/") or path in ("/api", "/metrics")

    def _refused(self, scope: Scope, caller: Caller) -> Response | None:
        """The answer to one who may not; None for one who may."""
        if caller.role is Role.ADMIN:
            return None
        method, path = scope.get("method", "GET"), scope["path"]
        needed = self._rules.needed(method, path)
        if needed is None:
            return problem(404, f"there is no {method} {path}: the API is described at /openapi.json")
        return (
            None if caller.role.covers(needed) else problem(403, refusal(caller, needed, f"{method} {path}"))
        )

    async def _who(self, scope: Scope) -> Caller:
        headers = Headers(scope=scope)
        token = bearer(headers)
        if token is not None:
            caller = await self._store.read(find_token, hash_of(token))
            if caller is None:
                raise Unauthorised(
                    f"this token is not known here, or it was removed or has expired: {_SIGN_IN}"
                )
            return caller
        session = session_of(headers)
        if session is None:
            raise Unauthorised(f"no token and no session: {_SIGN_IN}")
        if scope["type"] == "websocket" or scope["method"] not in _SAFE:
            check_origin(headers)
        caller = await self._store.read(find_session, hash_of(session))
        if caller is None:
            raise Unauthorised(f"this session has ended: {_SIGN_IN}")
        return caller


def _holds_nul(scope: Scope) -> bool:
    """Nothing here has a name with one, and a database that is asked for it refuses."""
    return "\0" in scope["path"] or b"%00" in scope.get("query_string", b"")


def client_of(scope: Scope) -> Client:
    """Whose connection this is: who they are and where they call from."""
    address = scope.get("client")
    caller: Caller | None = scope.get("state", {}).get("caller")
    return _client(
        caller.token if caller else 0,
        caller.name if caller else "someone",
        address[0] if address else "an unknown address",
    )


@lru_cache(maxsize=4096)
def _client(token: int, name: str, address: str) -> Client:
    """The same object for all connections of a client: each of them keeps it."""
    return Client(token, name, address)


def session_of(headers: Headers) -> str | None:
    """The session's secret in the cookie."""
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(SESSION_COOKIE)
    except CookieError:
        return None
    return morsel.value if morsel else None


def check_origin(headers: Headers) -> None:
    """A browser sends its cookie whoever asks: only our own pages may. Raises Unauthorised."""
    origin = headers.get("origin")
    if origin is None or _netloc(origin) != headers.get("host"):
        raise Unauthorised(
            f"the request comes from a page of {origin or 'no origin'}, not of this server ({headers.get('host')})"
        )


def _netloc(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


async def _refuse(scope: Scope, receive: Receive, send: Send, answer: Response) -> None:
    if scope["type"] == "http":
        await answer(scope, receive, send)
    else:
        await receive()
        await refuse_socket(scope, send, answer)
