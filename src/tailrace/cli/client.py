"""How commands call a server."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tailrace.cli.flags import ClientFlags, given
from tailrace.cli.texts import print_json, print_table, say
from tailrace.domain.errors import TailraceError

if TYPE_CHECKING:
    import httpx2


class CallFailed(TailraceError):
    """The server did not answer, or refused; the text says what it said."""


class ServerAway(CallFailed):
    """The server did not answer, or said that it cannot now: it may be there again in a moment."""


class PlanRefused(CallFailed):
    """The server found faults in a plan file."""

    located: ClassVar[bool] = True


class NotThere(CallFailed):
    """The server has nothing at that address."""


AWAY = (502, 503, 504)
PAGE = 500
"""Items that a list gives at a time."""


class Client:
    """Calls the API of one server with one token; answers are decoded JSON."""

    def __init__(self, server: str, token: str) -> None:
        import httpx2

        self.server = server.rstrip("/")
        self.token = token
        self._http = httpx2.Client(
            base_url=self.server, headers={"Authorization": f"Bearer {token}"}, timeout=60
        )

    def get(self, path: str, **query: Any) -> Any:
        return self.call("GET", path, query=query)

    def items(self, path: str, most: int | None = None, **query: Any) -> list[dict[str, Any]]:
        """All items of a list, page by page, or the first `most`; raises CallFailed."""
        found: list[dict[str, Any]] = []
        cursor: int | None = None
        while most is None or len(found) < most:
            room = PAGE if most is None else min(PAGE, most - len(found))
            page = self.get(path, limit=room, cursor=cursor, **query)
            found += page["items"]
            cursor = page["next"]
            if cursor is None:
                break
        return found if most is None else found[:most]

    def find(self, path: str) -> dict[str, Any] | None:
        """One thing, None where there is none; raises CallFailed."""
        try:
            return self.get(path)
        except NotThere:
            return None

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return self.call("POST", path, body=body)

    def records(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """The objects of an answer that has one a line, each as soon as it is there; raises CallFailed."""
        import httpx2

        wanted = {name: value for name, value in query.items() if value is not None}
        try:
            with self._http.stream("GET", path, params=wanted) as answer:
                if not answer.is_success:
                    answer.read()
                    raise CallFailed(_detail(answer))
                for line in answer.iter_lines():
                    yield json.loads(line)
        except httpx2.HTTPError as error:
            raise CallFailed(f"{self.server} does not answer, or not to the end ({error})") from None
        except ValueError:
            raise CallFailed(f"{self.server} answers, but not as Tailrace does: is --server right?") from None

    def blocks(self, path: str, **query: Any) -> Iterator[bytes]:
        """The answer's body as it comes; raises CallFailed, also when it breaks off."""
        import httpx2

        wanted = {name: value for name, value in query.items() if value is not None}
        try:
            with self._http.stream("GET", path, params=wanted) as answer:
                if not answer.is_success:
                    answer.read()
                    raise CallFailed(_detail(answer))
                yield from answer.iter_raw()
        except httpx2.HTTPError as error:
            raise CallFailed(f"{self.server} does not answer, or not to the end ({error})") from None

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        timeout_s: float = 60,
    ) -> Any:
        """The answer's JSON, None when it has none; raises CallFailed."""
        answer = self._answer(method, path, body, query, timeout_s)
        return self.decoded(answer.content) if answer.content else None

    def raw(self, method: str, path: str, query: Mapping[str, Any]) -> tuple[bytes, Mapping[str, str]]:
        """The answer's body and headers; raises CallFailed, and ServerAway when it can be tried again."""
        answer = self._answer(method, path, None, query)
        return answer.content, answer.headers

    def decoded(self, body: bytes) -> Any:
        """The JSON in a body; raises CallFailed when it is none."""
        try:
            return json.loads(body)
        except ValueError:
            raise CallFailed(f"{self.server} answers, but not as Tailrace does: is --server right?") from None

    def _answer(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        query: Mapping[str, Any] | None,
        timeout_s: float = 60,
    ) -> httpx2.Response:
        import httpx2

        wanted = {name: value for name, value in (query or {}).items() if value is not None}
        try:
            answer = self._http.request(method, path, json=body, params=wanted, timeout=timeout_s)
        except httpx2.HTTPError as error:
            raise ServerAway(
                f"{self.server} does not answer ({error}): is the server running, and is --server right?"
            ) from None
        if answer.is_success:
            return answer
        if answer.status_code == 422 and _is_of_plan(answer):
            raise PlanRefused(_detail(answer))
        if answer.status_code == 404:
            raise NotThere(_detail(answer))
        raise (ServerAway if answer.status_code in AWAY else CallFailed)(_detail(answer))


def is_id(name: str) -> bool:
    """Whether this could be an id rather than a name."""
    return name.isascii() and name.isdecimal() and len(name) < 19


def connect(flags: ClientFlags) -> Client:
    """A client from flags, environment and file; without a token, the admin's from the data directory."""
    from tailrace.settings import load_client

    settings = load_client(**given(flags))
    return Client(
        settings.server,
        settings.token or os.environ.get("TAILRACE_ADMIN_TOKEN") or _admin_token(settings.data_dir),
    )


def show(value: Any, *, as_json: bool, columns: Mapping[str, str]) -> None:
    """Print rows: as JSON, or as a table with the `columns` (title to field)."""
    if as_json:
        print_json(value)
        return
    fields = columns.values()
    print_table(list(columns), [[_cell(row.get(field)) for field in fields] for row in value])


def tell(value: Any, *, as_json: bool, plain: object = None) -> None:
    """Print what a command did: as JSON, or `plain`, where that says anything."""
    if as_json:
        print_json(value)
    elif plain is not None:
        say(str(plain))


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(part) for part in value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return "" if value is None else str(value)


def _is_of_plan(answer: httpx2.Response) -> bool:
    try:
        return "line" in answer.json()["errors"][0]
    except (ValueError, LookupError, TypeError):
        return False


def _detail(answer: httpx2.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status_code}: {answer.text[:200]}"


def _admin_token(data_dir: Path) -> str:
    from tailrace.settings import ADMIN_TOKEN_FILE

    path = data_dir / ADMIN_TOKEN_FILE
    try:
        return path.read_text().strip()
    except OSError as error:
        raise CallFailed(
            "no token: set TAILRACE_TOKEN or --token, or run where the server's data directory can be read"
            f" ({path}: {error.strerror})"
        ) from None
