"""Looking at what stands at a URL: its content, its value in JSON, or what its server calls its version."""

from __future__ import annotations

import asyncio
import hashlib
import json
import ssl
from collections.abc import Mapping
from functools import cached_property
from http import HTTPStatus
from typing import Any, NamedTuple

import httpx2

from tailrace import __version__
from tailrace.domain.address import without_password
from tailrace.domain.errors import Invalid
from tailrace.domain.events import Event, EventKind
from tailrace.domain.picking import parse_path
from tailrace.domain.polls import Change, Found, LookFailed, Wanted, Whom
from tailrace.domain.triggers import UrlSettings
from tailrace.guard import Guard, GuardedTransport, TargetRefused

MAX_BYTES = 10 * 1024 * 1024
"""Of an answer: a server that sends without end does not fill the memory."""
MOST_REDIRECTS = 5
BELIEVED = 10
"""How often in a row a server is believed that nothing has changed; then it is asked for all of it."""
LONGEST_VALUE = 2000

_REDIRECTS = (301, 302, 303, 307, 308)


class _Answer(NamedTuple):
    """`body` None: nothing has changed since what `seen` tells, or nobody wanted it."""

    headers: httpx2.Headers
    body: bytes | None
    unchanged: bool


class UrlPoll:
    """Remembers the value, and what its server wants to be told: `{"value", "etag", "modified", "believed"}`."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    @cached_property
    def _trusted(self) -> ssl.SSLContext:
        return httpx2.create_ssl_context()

    async def look(self, wanted: Wanted, settings: UrlSettings) -> Found:
        """Raises LookFailed, Invalid (the path)."""
        seen: Mapping[str, Any] = wanted.seen or {}
        believed = int(seen.get("believed", 0))
        believing = believed < BELIEVED and settings.look != "hash"
        answer = await self._get(settings, wanted.secrets, seen if believing else {})
        if answer.unchanged:
            return Found({**seen, "believed": believed + 1}, f"unchanged: {_shown(str(seen['value']))}")
        value = await asyncio.to_thread(_value, settings, answer)  # up to a second for what is large
        remembered = {
            "value": value,
            "etag": answer.headers.get("etag"),
            "modified": answer.headers.get("last-modified"),
            "believed": 0,
        }
        if wanted.seen is None:
            return Found(remembered, f"first look: {_shown(value)}")
        if value == seen["value"]:
            return Found(remembered, f"unchanged: {_shown(value)}")
        event = Event(
            kind=EventKind.CHANGE,
            ref=None if settings.branch is None else f"refs/heads/{settings.branch}",
            branch=settings.branch,
            title=f"{without_password(settings.url)}: {_shown(value)}"[:300],
            values={"URL_VALUE": value, "URL_BEFORE": str(seen["value"])},
        )
        return Found(remembered, f"changed: {_shown(value)}", (Change(event, Whom.OWN),))

    async def _get(
        self, settings: UrlSettings, secrets: Mapping[str, str], seen: Mapping[str, Any]
    ) -> _Answer:
        own = {**settings.headers, **{name: secrets[s] for name, s in settings.secret_headers.items()}}
        # What is no header is refused here: an error of the client's would quote it, and it may be a secret.
        headers = {name: value.strip() for name, value in own.items()}
        if wrong := next((n for n, v in headers.items() if not v.isascii() or not v.isprintable()), None):
            raise LookFailed(f"header {wrong}: its value is not one line of ASCII")
        headers |= {
            name: text for name, text in _conditions(seen) if name.lower() not in map(str.lower, headers)
        }
        try:
            async with httpx2.AsyncClient(
                transport=GuardedTransport(self._guard, self._trusted),
                # Compressed answers could unfold to more than we take.
                headers={"User-Agent": f"tailrace/{__version__}", "Accept-Encoding": "identity"},
                timeout=None,
            ) as client:
                return await self._follow(client, settings, headers, bool(seen))
        except TargetRefused as refused:
            raise LookFailed(str(refused)) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError) as error:
            what = without_password(str(error)) or type(error).__name__
            raise LookFailed(f"{without_password(settings.url)} cannot be read: {what}") from None

    async def _follow(
        self, client: httpx2.AsyncClient, settings: UrlSettings, headers: Mapping[str, str], conditional: bool
    ) -> _Answer:
        url = httpx2.URL(settings.url)
        for _ in range(MOST_REDIRECTS + 1):
            async with client.stream("GET", url, headers=headers) as response:
                if response.status_code in _REDIRECTS and "location" in response.headers:
                    there = url.join(response.headers["location"])
                    if _origin(there) != _origin(url):
                        headers = {}  # they may hold secrets, which are for the first machine alone
                    url = there
                    continue
                return await _read(response, settings, conditional)
        raise LookFailed(
            f"{without_password(settings.url)} leads on and on: more than {MOST_REDIRECTS} redirects"
        )


async def _read(response: httpx2.Response, settings: UrlSettings, conditional: bool) -> _Answer:
    shown = without_password(settings.url)
    if response.status_code == HTTPStatus.NOT_MODIFIED and conditional:
        return _Answer(response.headers, None, True)
    if response.status_code != HTTPStatus.OK:
        raise LookFailed(f"{shown} answered {response.status_code} {response.reason_phrase}".rstrip())
    if settings.look in ("etag", "last_modified"):
        return _Answer(response.headers, None, False)
    pieces: list[bytes] = []
    size = 0
    async for piece in response.aiter_raw():
        size += len(piece)
        if size > MAX_BYTES:
            raise LookFailed(f"{shown} is larger than {MAX_BYTES // 2**20} MiB: choose look: etag")
        pieces.append(piece)
    return _Answer(response.headers, b"".join(pieces), False)


def _value(settings: UrlSettings, answer: _Answer) -> str:
    """What is compared."""
    shown = without_password(settings.url)
    if settings.look in ("etag", "last_modified"):
        name = "ETag" if settings.look == "etag" else "Last-Modified"
        said = answer.headers.get(name)
        if not said:
            raise LookFailed(f"{shown} sends no {name}: choose look: hash")
        return said[:LONGEST_VALUE]
    body = answer.body or b""
    if settings.look != "json":
        return f"sha256:{hashlib.sha256(body).hexdigest()}"
    try:
        found = parse_path(settings.path or "").pick(json.loads(body))
    except (ValueError, RecursionError) as error:
        raise LookFailed(f"{shown} is no JSON: {error}") from None
    except Invalid as error:
        raise LookFailed(str(error)) from None
    if found is None:
        raise LookFailed(f"{shown} has nothing at {settings.path}")
    text = found if isinstance(found, str) else json.dumps(found, sort_keys=True, separators=(",", ":"))
    if len(text) > LONGEST_VALUE or "\0" in text:
        return f"sha256:{hashlib.sha256(text.encode(errors='replace')).hexdigest()}"
    return text.encode(errors="replace").decode()


def _conditions(seen: Mapping[str, Any]) -> list[tuple[str, str]]:
    conditions = {"If-None-Match": seen.get("etag"), "If-Modified-Since": seen.get("modified")}
    return [(name, str(value)) for name, value in conditions.items() if value]


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _shown(value: str) -> str:
    return value if len(value) <= 60 else f"{value[:57]}…"
