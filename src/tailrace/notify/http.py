"""Requests to other people's servers: bounded in time and size, redirects not followed."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx2

from tailrace import __version__
from tailrace.guard import Guard, GuardedTransport, TargetRefused
from tailrace.notify.base import Answer, Undelivered

TIMEOUT_S = 30.0
"""Of a request as a whole."""
CONNECT_S = 10.0
MOST_BYTES = 64 * 1024
"""Of an answer that are read."""


class Http:
    """Posts and gets; every failure is an Undelivered whose words have the host, and neither path nor query.

    Addresses of robots hold their tokens.
    """

    def __init__(self, guard: Guard, *, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._client = httpx2.AsyncClient(
            transport=GuardedTransport(guard),
            timeout=httpx2.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s)),
            follow_redirects=False,
            headers={"User-Agent": f"Tailrace/{__version__}"},
        )

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Raises Undelivered when there is no answer; `unsure` when the request may have been taken."""
        return await self._ask("POST", url, body, {"Content-Type": "application/json", **headers})

    async def get(self, url: str, headers: Mapping[str, str]) -> Answer:
        """Likewise."""
        return await self._ask("GET", url, None, headers)

    async def close(self) -> None:
        await self._client.aclose()

    async def _ask(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        host = urlsplit(url).netloc.rpartition("@")[2]
        try:
            request = self._client.build_request(method, url, content=body, headers=dict(headers))
        except (httpx2.InvalidURL, ValueError) as error:
            raise Undelivered(f"{host or 'the address'} is no address: {error}", final=True) from None
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await self._client.send(request, stream=True)
                try:
                    found = b""
                    async for part in answer.aiter_bytes():
                        found += part
                        if len(found) >= MOST_BYTES:
                            break
                finally:
                    await answer.aclose()
        except TargetRefused as error:
            raise Undelivered(str(error), final=True) from None
        except httpx2.UnsupportedProtocol:
            raise Undelivered(f"{host}: only https and http are spoken", final=True) from None
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            cause = error.__cause__ or error
            bad = isinstance(cause, ssl.SSLError) or "CERTIFICATE" in str(error)
            raise Undelivered(
                f"{host} cannot be reached: {str(error) or type(error).__name__}", final=bad
            ) from None
        except (httpx2.HTTPError, TimeoutError) as error:
            words = str(error) or f"nothing within {self._timeout_s:g} s"
            raise Undelivered(f"{host} did not answer to the end: {words}", unsure=True) from None
        return Answer(
            answer.status_code,
            found[:MOST_BYTES],
            {name.lower(): value for name, value in answer.headers.items()},
        )
