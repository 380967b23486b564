"""Looking at a real HTTP server that lies."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from tailrace.domain.events import EventKind
from tailrace.domain.polls import Found, LookFailed, Wanted, Whom
from tailrace.domain.triggers import UrlSettings
from tailrace.guard import Guard
from tailrace.sources.url_poll import BELIEVED, UrlPoll
from tests.support.lying_server import LyingServer, lying, moved, ok

OPEN = Guard.allowing("poll_allowed", ["127.0.0.1"])
NOT_MODIFIED = b"HTTP/1.1 304 Not Modified\r\n\r\n"


@pytest.fixture
async def liar() -> AsyncIterator[LyingServer]:
    async with lying() as server:
        yield server


async def _look(
    liar: LyingServer,
    seen: Any = None,
    *,
    secrets: Mapping[str, str] | None = None,
    guard: Guard = OPEN,
    **settings: Any,
) -> Found:
    wished = UrlSettings.model_validate({"url": liar.url, **settings})
    return await UrlPoll(guard).look(Wanted("", wished, seen, {}, secrets or {}), wished)


def _values(found: Found) -> list[dict[str, str]]:
    return [change.event.values for change in found.changes]


async def test_content_that_changes_is_a_change(liar: LyingServer) -> None:
    """Not at the first look; it is this trigger's own, of the branch that it names."""
    first = await _look(liar)
    assert (first.changes, first.detail[:18]) == ((), "first look: sha256")
    assert (await _look(liar, first.seen)).changes == ()
    liar.answer = lambda _: ok(b"two")
    found = await _look(liar, first.seen, branch="main")
    (change,) = found.changes
    assert (change.whom, change.event.kind) == (Whom.OWN, EventKind.CHANGE)
    assert (change.event.ref, change.event.branch, change.event.revision) == ("refs/heads/main", "main", None)
    assert change.event.values == {"URL_VALUE": found.seen["value"], "URL_BEFORE": first.seen["value"]}


async def test_a_server_that_knows_its_version_is_not_asked_for_all_of_it(liar: LyingServer) -> None:
    """It is told what we have."""
    liar.answer = lambda _: ok(b"one", ETag='"1"', Last_Modified="Sat, 21 Nov 2026 10:00:00 GMT")
    seen = (await _look(liar)).seen
    assert "if-none-match" not in liar.asked[-1].lower()
    liar.answer = lambda _: NOT_MODIFIED
    found = await _look(liar, seen)
    assert (found.changes, found.seen["believed"]) == ((), 1)
    assert 'if-none-match: "1"' in liar.asked[-1].lower()
    assert "if-modified-since: sat, 21 nov 2026" in liar.asked[-1].lower()


async def test_a_wrong_etag_is_seen_through(liar: LyingServer) -> None:
    """The same for other content is a change, another for the same content is none."""
    liar.answer = lambda _: ok(b"one", ETag='"1"')
    seen = (await _look(liar)).seen
    liar.answer = lambda _: ok(b"one", ETag='"2"')
    again = await _look(liar, seen)
    assert again.changes == ()
    liar.answer = lambda _: ok(b"two", ETag='"2"')
    assert len((await _look(liar, again.seen)).changes) == 1


async def test_a_server_that_never_sees_a_change_is_asked_for_all_of_it_now_and_then(
    liar: LyingServer,
) -> None:
    """It is believed so many times."""
    liar.answer = lambda _: ok(b"one", ETag='"1"')
    seen = (await _look(liar)).seen
    liar.answer = lambda asked: NOT_MODIFIED if "if-none-match" in asked.lower() else ok(b"two", ETag='"1"')
    for _ in range(BELIEVED):
        found = await _look(liar, seen)
        assert found.changes == ()
        seen = found.seen
    assert len((await _look(liar, seen)).changes) == 1
    assert len((await _look(liar, {**seen, "believed": 0}, look="hash")).changes) == 1


async def test_who_asks_for_the_etag_is_not_sent_the_rest(liar: LyingServer) -> None:
    """Also of an answer without an end; without an ETag it is an error."""
    liar.endless = True
    liar.answer = lambda _: b'HTTP/1.1 200 OK\r\nETag: "1"\r\n\r\n'
    seen = (await _look(liar, look="etag")).seen
    liar.answer = lambda _: b'HTTP/1.1 200 OK\r\nETag: "2"\r\n\r\n'
    assert _values(await _look(liar, seen, look="etag")) == [{"URL_VALUE": '"2"', "URL_BEFORE": '"1"'}]
    with pytest.raises(LookFailed, match="sends no Last-Modified: choose look: hash"):
        await _look(liar, look="last_modified")


async def test_a_value_of_json(liar: LyingServer) -> None:
    """What stands beside it does not count."""

    def answer(version: str, at: int) -> bytes:
        return ok(json.dumps({"at": at, "items": [{"version": version}]}).encode())

    wished: dict[str, Any] = {"look": "json", "path": "items[0].version"}
    liar.answer = lambda _: answer("1.0", 1)
    seen = (await _look(liar, **wished)).seen
    liar.answer = lambda _: answer("1.0", 2)
    assert (await _look(liar, seen, **wished)).changes == ()
    liar.answer = lambda _: answer("1.1", 3)
    assert _values(await _look(liar, seen, **wished)) == [{"URL_VALUE": "1.1", "URL_BEFORE": "1.0"}]


@pytest.mark.parametrize(
    ("body", "path", "why"),
    [
        (b"<html>", "a", "is no JSON"),
        (b"[" * 100_000, "a", "is no JSON"),
        (b"{}", "a", "has nothing at a"),
        (b"[1]", "[5]", r"has nothing at \[5\]"),
        (b"{}", "a..b", r'character 3: found "\."; expected a key'),
        (b"{}", "length(a)", r"length\(\): argument 1 is null"),
        (b"\xff\xfe\xff", "a", "is no JSON"),
    ],
)
async def test_json_that_is_not_there_is_an_error(
    liar: LyingServer, body: bytes, path: str, why: str
) -> None:
    """And no change: the value that was seen last stays."""
    liar.answer = lambda _: ok(body)
    with pytest.raises(LookFailed, match=why):
        await _look(liar, {"value": "1"}, look="json", path=path)


async def test_an_endless_answer_is_an_error(liar: LyingServer) -> None:
    """After so many bytes."""
    liar.endless = True
    liar.answer = lambda _: b"HTTP/1.1 200 OK\r\n\r\n"
    with pytest.raises(LookFailed, match="larger than 10 MiB"):
        await _look(liar)


async def test_who_looks_can_give_up_on_a_silent_server(liar: LyingServer) -> None:
    """The connection is closed then."""
    liar.silent = True
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await _look(liar)


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 404 Not Found\r\n\r\n", b"HTTP/1.1 500 Oops\r\n\r\n", NOT_MODIFIED, b"nonsense\r\n\r\n", b""],
)
async def test_another_answer_is_an_error(liar: LyingServer, answer: bytes) -> None:
    """Also "not modified" where nobody asked whether."""
    liar.answer = lambda _: answer
    with pytest.raises(LookFailed, match=r"answered [345]|cannot be read"):
        await _look(liar)


async def test_headers_come_from_secrets_and_stay_with_the_first_machine(liar: LyingServer) -> None:
    """A redirect elsewhere does not get them; one within the same machine does."""
    async with lying("127.0.0.2") as other:
        elsewhere = other.url.replace("127.0.0.1", "127.0.0.2")
        liar.answer = lambda asked: moved(elsewhere if "/here" in asked else "/here")
        found = await _look(
            liar,
            guard=Guard.allowing("poll_allowed", ["127.0.0.0/8"]),
            headers={"Accept": "text/plain"},
            secret_headers={"Private-Token": "TOKEN"},
            secrets={"TOKEN": "s3cr3t"},
        )
        assert found.seen["value"].startswith("sha256:")
        assert all("private-token: s3cr3t" in asked.lower() for asked in liar.asked)
        assert len(liar.asked) == 2
        assert "s3cr3t" not in other.asked[0]


@pytest.mark.parametrize(
    "secret", ["s3cr3t\n", " s3cr3t ", "s3cr3t\r\nHost: evil", "s3cr3t\x7f", "s3cr3t–", ""]
)
async def test_a_secret_that_is_no_header_is_not_told(liar: LyingServer, secret: str) -> None:
    """Space around it is left out; anything else is refused without quoting it."""
    try:
        await _look(liar, secret_headers={"X": "TOKEN"}, secrets={"TOKEN": secret})
    except LookFailed as refused:
        assert "s3cr3t" not in str(refused)  # noqa: PT017
        assert not liar.asked
    else:
        assert f"x: {secret.strip()}\r\n" in liar.asked[0].lower()


async def test_a_redirect_to_loopback_is_refused(liar: LyingServer) -> None:
    """The one who is allowed leads to one who is not."""
    async with lying("127.0.0.2") as other:
        liar.answer = lambda _: moved(other.url.replace("127.0.0.1", "127.0.0.2"))
        with pytest.raises(LookFailed, match=r"127\.0\.0\.2 is a loopback address.*poll_allowed"):
            await _look(liar)
        assert other.asked == []


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/", "http://[", "gopher://x"])
async def test_a_redirect_to_what_is_no_http_is_an_error(liar: LyingServer, target: str) -> None:
    """Whatever stands there."""
    liar.answer = lambda _: moved(target)
    with pytest.raises(LookFailed, match="cannot be read"):
        await _look(liar)


async def test_a_redirect_without_end_is_an_error(liar: LyingServer) -> None:
    """After so many."""
    liar.answer = lambda _: moved("/again")
    with pytest.raises(LookFailed, match="more than 5 redirects"):
        await _look(liar)


async def test_loopback_is_refused_unless_an_admin_allows_it(liar: LyingServer) -> None:
    """By its address, whatever its name."""
    with pytest.raises(LookFailed, match="loopback"):
        await _look(liar, guard=Guard("poll_allowed"), url=liar.url.replace("127.0.0.1", "localhost"))
    assert liar.asked == []


async def test_a_password_in_the_address_is_not_told(liar: LyingServer) -> None:
    """In no error."""
    liar.answer = lambda _: b"HTTP/1.1 403 Forbidden\r\n\r\n"
    with pytest.raises(LookFailed) as refused:
        await _look(liar, url=liar.url.replace("127", "kim:s3cr3t@127", 1))
    assert "s3cr3t" not in str(refused.value)
