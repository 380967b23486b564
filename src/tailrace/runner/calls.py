"""A runner's own calls to the server, about the artifacts of its attempt and nothing else."""

from __future__ import annotations

import asyncio
import ipaddress
import random
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self, cast

from tailrace.domain.artifacts import AGENT_PATH
from tailrace.domain.errors import TailraceError
from tailrace.runner.handover import Access

if TYPE_CHECKING:
    import httpx2

TOGETHER = 4
"""Files that are on their way at once."""
FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 10.0
_PROBLEM = "application/problem+json"
PATIENCE_S = 600.0
"""Between two bytes: a server that reads back from an object store what it has put there takes its time."""
_LATER = (408, 429, 502, 503, 504)


class CallRefused(TailraceError):
    """The server answered that it will not, whatever is tried again; `status` is HTTP's."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class CallCut(TailraceError):
    """An answer broke off in its middle: to be asked for again."""


class Calls:
    """Calls that end well or are refused: while the server is away, they are tried again until somebody cancels them.

    To be used as a context. `say` tells people, once each time, that the server is away and that it is back.
    """

    def __init__(self, access: Access, attempt: int, say: Callable[[str], None]) -> None:
        self._access = access
        self._base = f"{access.server.rstrip('/')}{AGENT_PATH}/{attempt}"
        self._say = say
        self._away = False

    async def __aenter__(self) -> Self:
        import httpx2  # most attempts move no artifacts and need no room for it

        server = httpx2.URL(self._access.server)
        self._http = httpx2.AsyncClient(
            headers={"Authorization": f"Bearer {self._access.token}"},
            timeout=httpx2.Timeout(PATIENCE_S, connect=10.0),
            limits=httpx2.Limits(max_connections=TOGETHER, max_keepalive_connections=TOGETHER),
            verify=server.scheme == "https",  # else the machine's certificates would be read for nothing
            trust_env=not _is_loopback(server.host),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def call(
        self,
        method: str,
        path: str = "",
        *,
        body: Callable[[], AsyncIterable[bytes] | bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """The answer's body. `body` makes the request's anew for each try. Raises CallRefused, and what `body` raises."""
        async with self._answer(method, path, body, headers) as answer:
            return await answer.aread()

    async def blocks(self, path: str, take: Callable[[bytes], None]) -> None:
        """Hand `take` the answer's body as it comes; raises CallRefused, and CallCut when it breaks off."""
        import httpx2

        async with self._answer("GET", path, None, None) as answer:
            try:
                async for block in answer.aiter_raw():
                    take(block)
            except httpx2.HTTPError as error:
                raise CallCut(_words(error)) from error

    @asynccontextmanager
    async def _answer(
        self,
        method: str,
        path: str,
        body: Callable[[], AsyncIterable[bytes] | bytes] | None,
        headers: Mapping[str, str] | None,
    ) -> AsyncGenerator[httpx2.Response]:
        wait_s = FIRST_WAIT_S
        while True:
            answer, trouble = await self._try(method, path, body() if body else None, headers)
            if answer is not None:
                break
            if not self._away:
                self._say(f"{trouble}; trying again")
                self._away = True
            await asyncio.sleep(wait_s * random.uniform(0.5, 1.0))  # noqa: S311 -- so that not all come back at once
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)
        if self._away:
            self._say("the server takes calls again")
            self._away = False
        try:
            yield answer
        finally:
            await answer.aclose()

    async def _try(
        self,
        method: str,
        path: str,
        content: AsyncIterable[bytes] | bytes | None,
        headers: Mapping[str, str] | None,
    ) -> tuple[httpx2.Response | None, str]:
        """A good answer; or None, and why it is worth another try."""
        import httpx2

        request = self._http.build_request(method, self._base + path, content=content, headers=headers)
        try:
            answer = await self._http.send(request, stream=True)
            if answer.is_success:
                return answer, ""
            await answer.aread()
        except httpx2.HTTPError as error:
            return None, f"the server at {self._access.server} does not answer ({_words(error)})"
        detail = _detail(answer)
        failed = answer.status_code == 500 and _PROBLEM not in answer.headers.get("content-type", "")
        if answer.status_code in _LATER or failed:  # a 500 with words of its own is meant
            return None, f"the server cannot move artifacts now: {detail}"
        raise CallRefused(answer.status_code, detail)


def _is_loopback(host: str) -> bool:
    """Whether it is this machine, which no proxy reaches."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


def _detail(answer: httpx2.Response) -> str:
    try:
        return str(cast(dict[str, Any], answer.json())["detail"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status_code}: {answer.text[:200]}"
