"""Raw reads: ranges, tails, streams, and the spans."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import pytest

from tailrace.api.logs import READ_BYTES
from tailrace.domain.spans import Span, Stream
from tests.support.live_house import LiveHouse, until

TEXT = b"one\ntwo\nthree\nfour\n"


@pytest.fixture
async def client(house: LiveHouse) -> AsyncGenerator[httpx2.AsyncClient]:
    """A client of a server whose log 7 holds TEXT."""
    house.append(7, TEXT)
    async with httpx2.AsyncClient(base_url=house.url, trust_env=False) as made:
        yield made


async def test_the_whole_log_is_its_bytes(client: httpx2.AsyncClient, house: LiveHouse) -> None:
    """As plain text that no browser may take for anything else, with its size and state."""
    response = await client.get("/api/logs/7")
    assert (response.status_code, response.content) == (200, TEXT)
    headers = response.headers
    assert headers["content-type"] == "text/plain; charset=utf-8"
    assert headers["x-content-type-options"] == "nosniff"
    assert (headers["x-log-size"], headers["x-log-state"]) == (str(len(TEXT)), "open")
    assert headers["content-length"] == str(len(TEXT))
    assert "content-disposition" not in headers
    house.end(7, "truncated")
    assert (await client.get("/api/logs/7")).headers["x-log-state"] == "truncated"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?from=4", TEXT[4:]),
        ("?to=4", TEXT[:4]),
        ("?from=4&to=8", TEXT[4:8]),
        ("?from=0&to=0", b""),
        ("?from=999", b""),
        ("?from=18&to=999", b"\n"),
        ("?tail=2", b"three\nfour\n"),
        ("?tail=0", b""),
        ("?tail=99", TEXT),
        ("?lines=2-3", b"two\nthree\n"),
        ("?lines=1-1", b"one\n"),
        ("?lines=4", b"four\n"),
        ("?lines=3-", b"three\nfour\n"),
        ("?lines=3-99", b"three\nfour\n"),
        ("?lines=5-", b""),
        ("?lines=999999999999999999-", b""),
        ("?at=0", TEXT),
        ("?at=1970-01-01T00:00:01Z", TEXT),
        ("?at=1001", b""),
        ("?until=1000", b""),
        ("?until=1001", TEXT),
        ("?at=1970-01-01T02:00:00.500+02:00&until=1970-01-01 00:00:02", TEXT),
    ],
)
async def test_a_stretch_is_chosen_by_bytes_or_lines(
    client: httpx2.AsyncClient, query: str, expected: bytes
) -> None:
    """What lies behind the end is empty, no error; the size stays that of the whole log."""
    response = await client.get(f"/api/logs/7{query}")
    assert (response.status_code, response.content) == (200, expected)
    assert response.headers["x-log-size"] == str(len(TEXT))


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-3", 0, 4),
        ("bytes=4-", 4, 19),
        ("bytes=-5", 14, 19),
        ("bytes=-999", 0, 19),
        ("bytes=10-999", 10, 19),
    ],
)
async def test_a_range_is_partial_content(
    client: httpx2.AsyncClient, asked: str, start: int, stop: int
) -> None:
    """With the place it has in the log."""
    response = await client.get("/api/logs/7", headers={"Range": asked})
    assert (response.status_code, response.content) == (206, TEXT[start:stop])
    assert response.headers["content-range"] == f"bytes {start}-{stop - 1}/19"
    assert response.headers["content-length"] == str(stop - start)


@pytest.mark.parametrize("asked", ["bytes=19-", "bytes=500-600", "bytes=-0"])
async def test_a_range_that_is_not_there_is_416(client: httpx2.AsyncClient, asked: str) -> None:
    """It says how long the log is."""
    response = await client.get("/api/logs/7", headers={"Range": asked})
    assert (response.status_code, response.content) == (416, b"")
    assert response.headers["content-range"] == "bytes */19"


@pytest.mark.parametrize("asked", ["bytes=0-1,4-5", "lines=1-2", "bytes=-", "bytes=5-3", "nonsense"])
async def test_a_range_that_is_not_understood_is_ignored(client: httpx2.AsyncClient, asked: str) -> None:
    """As RFC 9110 allows."""
    response = await client.get("/api/logs/7", headers={"Range": asked})
    assert (response.status_code, response.content) == (200, TEXT)


async def test_parameters_beat_a_range(client: httpx2.AsyncClient) -> None:
    """A range is one of the whole log only."""
    response = await client.get("/api/logs/7?from=4&to=8", headers={"Range": "bytes=0-0"})
    assert (response.status_code, response.content) == (200, b"two\n")


async def test_head_has_the_headers_and_no_body(client: httpx2.AsyncClient) -> None:
    """Those that GET would have."""
    for query, headers in (("", {}), ("?tail=1", {}), ("", {"Range": "bytes=2-5"})):
        got = await client.get(f"/api/logs/7{query}", headers=headers)
        head = await client.head(f"/api/logs/7{query}", headers=headers)
        assert (head.status_code, head.content) == (got.status_code, b"")
        assert {**head.headers, "date": ""} == {**got.headers, "date": ""}


async def test_a_download_is_a_file(client: httpx2.AsyncClient) -> None:
    """With the log's number for a name."""
    response = await client.get("/api/logs/7?download=1")
    assert response.headers["content-disposition"] == 'attachment; filename="log-7.txt"'


async def test_the_streams_apart_and_together(client: httpx2.AsyncClient, house: LiveHouse) -> None:
    """Each stream is exactly its bytes, wherever blocks of reading cut; all three are the log."""
    pick = random.Random(5)
    house.create(8)
    parts: list[tuple[Stream, bytes]] = []
    for _ in range(400):
        stream, data = pick.choice(list(Stream)), pick.randbytes(pick.randint(1, 3000))
        house.append(8, data, [Span(house.logs.end(8), 1, stream, 0)])
        parts.append((stream, data))
    size = house.logs.end(8)
    assert size > 2 * READ_BYTES
    for words in ("stdout", "stderr", "system", "stdout,stderr", "system,stderr,stdout"):
        response = await client.get(f"/api/logs/8?stream={words}")
        assert response.content == b"".join(data for stream, data in parts if stream.word in words.split(","))
        assert response.headers["x-log-size"] == str(size)
    half = (await client.get(f"/api/logs/8?stream=stderr&from=1000&to={size // 2}")).content
    rest = (await client.get(f"/api/logs/8?stream=stderr&from={size // 2}")).content
    assert half + rest == (await client.get("/api/logs/8?stream=stderr&from=1000")).content


async def test_a_large_log_is_read_in_blocks(client: httpx2.AsyncClient, house: LiveHouse) -> None:
    """At most 256 KiB at a time, in threads, and up to multiples of it: frames of segments end there."""
    house.create(8)
    whole = random.Random(6).randbytes(5 * READ_BYTES + 17)
    house.append(8, whole)
    house.logs.most_read = 0
    assert (await client.get("/api/logs/8")).content == whole
    assert house.logs.most_read == READ_BYTES
    house.logs.reads.clear()
    assert (await client.get("/api/logs/8?from=17")).content == whole[17:]
    assert [start for _, start in house.logs.reads] == [17, *(n * READ_BYTES for n in range(1, 6))]


async def test_a_reader_that_goes_away_ends_the_reading(house: LiveHouse) -> None:
    """Nobody reads the rest of the log for it."""
    block = bytes(READ_BYTES)
    for _ in range(100):
        house.append(7, block)
    house.logs.reads.clear()
    async with (
        httpx2.AsyncClient(trust_env=False) as client,
        client.stream("GET", f"{house.url}/api/logs/7") as response,
    ):
        async for _ in response.aiter_bytes():
            break
    await until(
        lambda: not any("run_asgi" in repr(task) for task in asyncio.all_tasks()), "the request to end"
    )
    assert len(house.logs.reads) < 100


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?from=x", "from"),
        ("?from=-1", "from"),
        ("?to=1e3", "to"),
        ("?from=９", "from"),
        ("?from=99999999999999999999", "from"),
        ("?from=5&to=4", "from"),
        ("?tail=many", "tail"),
        ("?tail=1000001", "tail"),
        ("?tail=1&from=0", "tail"),
        ("?lines=1-2&to=3", "lines"),
        ("?lines=1&tail=3", "tail"),
        ("?from=1&until=3", "until"),
        ("?lines=0-2", "lines"),
        ("?lines=3-2", "lines"),
        ("?lines=-2", "lines"),
        ("?lines=2-x", "lines"),
        ("?at=yesterday", "at"),
        ("?at=1969-12-31T23:59:59Z", "at"),
        ("?at=20&until=10", "at"),
        ("?until=9999999999999999", "until"),
        ("?stream=stdin", "stream"),
        ("?stream=", "stream"),
        ("?download=yes", "download"),
        ("/spans?limit=0", "limit"),
        ("/spans?limit=10001", "limit"),
        ("/spans?from=a", "from"),
    ],
)
async def test_a_bad_parameter_is_named(client: httpx2.AsyncClient, query: str, names: str) -> None:
    """400, as a problem."""
    response = await client.get(f"/api/logs/7{query}")
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["detail"].startswith(f"{names}:")


@pytest.mark.parametrize("path", ["/api/logs/8", "/api/logs/8/spans", "/api/logs/8/stream"])
async def test_an_unknown_log_is_not_found(client: httpx2.AsyncClient, path: str) -> None:
    """Named in the problem."""
    response = await client.get(path)
    assert (response.status_code, response.json()["detail"]) == (404, "there is no log 8")


@pytest.mark.parametrize("query", ["", "?tail=3", "?stream=stdout", "/spans"])
async def test_a_log_whose_writer_has_not_begun_is_empty(
    client: httpx2.AsyncClient, house: LiveHouse, query: str
) -> None:
    """The store knows it already."""
    house.known.add(9)
    response = await client.get(f"/api/logs/9{query}")
    assert response.status_code == 200
    assert response.content in (b"", b'{"items":[],"size":0,"next":null}')


async def test_spans_tell_where_bytes_came_from(client: httpx2.AsyncClient, house: LiveHouse) -> None:
    """The first is the one in force, moved up to `from`."""
    house.create(8)
    house.append(8, b"0123456789", [Span(0, 11, Stream.STDOUT, 1), Span(4, 12, Stream.STDERR, 2)])
    house.append(8, b"abc", [Span(10, 13, Stream.SYSTEM, 0)])
    whole = (await client.get("/api/logs/8/spans")).json()
    assert whole == {
        "items": [[0, 11, "stdout", 1], [4, 12, "stderr", 2], [10, 13, "system", 0]],
        "size": 13,
        "next": None,
    }
    part = (await client.get("/api/logs/8/spans?from=6&to=11")).json()
    assert part["items"] == [[6, 12, "stderr", 2], [10, 13, "system", 0]]


async def test_pages_of_spans_tile_the_log(client: httpx2.AsyncClient, house: LiveHouse) -> None:
    """Each page goes on where `next` of the one before said."""
    house.create(8)
    house.append(8, bytes(500), [Span(at, at, Stream.STDOUT, 0) for at in range(0, 500, 5)])
    items: list[Any] = []
    cursor: int | None = 0
    pages = 0
    while cursor is not None:
        page = (await client.get(f"/api/logs/8/spans?from={cursor}&limit=7")).json()
        items += page["items"]
        cursor = page["next"]
        pages += 1
    assert items == [[at, at, "stdout", 0] for at in range(0, 500, 5)]
    assert pages == 15


async def test_lines_and_moments_say_where_they_begin(client: httpx2.AsyncClient, house: LiveHouse) -> None:
    """X-Log-Offset; what a moment selects begins with the first span that is not older."""
    house.create(8)
    house.append(8, b"one\ntwo\n", [Span(0, 1000, Stream.STDOUT, 0), Span(4, 3000, Stream.STDERR, 0)])
    house.append(8, b"three\nfour", [Span(8, 2000, Stream.STDOUT, 0), Span(14, 4000, Stream.STDOUT, 0)])
    for query, offset, expected in (
        ("lines=3-3", 8, b"three\n"),
        ("lines=4-", 14, b"four"),
        ("tail=2", 8, b"three\nfour"),
        ("from=5", 5, b"wo\nthree\nfour"),
        ("at=1001", 4, b"two\nthree\nfour"),
        ("at=3001", 14, b"four"),
        ("at=1000&until=3000", 0, b"one\n"),
        ("at=4001", 18, b""),
    ):
        response = await client.get(f"/api/logs/8?{query}")
        assert (response.status_code, response.content) == (200, expected), query
        assert response.headers["x-log-offset"] == str(offset), query
        assert response.headers["content-length"] == str(len(expected))
    part = await client.get("/api/logs/8", headers={"Range": "bytes=3-5"})
    assert part.headers["x-log-offset"] == "3"


async def test_who_has_the_log_already_is_told_so(client: httpx2.AsyncClient, house: LiveHouse) -> None:
    """A log that did not grow is 304, whichever ETags come along, without bytes; one that grew is sent."""
    tag = (await client.get("/api/logs/7")).headers["etag"]
    for held in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        for method in ("GET", "HEAD"):
            same = await client.request(
                method, "/api/logs/7", headers={"If-None-Match": held, "Range": "bytes=0-0"}
            )
            assert (same.status_code, same.content) == (304, b"")
            assert same.headers["etag"] == tag
            assert (same.headers["x-log-size"], same.headers["x-log-state"]) == ("19", "open")
    assert (await client.get("/api/logs/7", headers={"If-None-Match": '"7-18"'})).status_code == 200
    house.append(7, b"five\n")
    grown = await client.get("/api/logs/7", headers={"If-None-Match": tag})
    assert (grown.status_code, grown.content) == (200, TEXT + b"five\n")
    assert grown.headers["etag"] != tag


async def test_the_tag_of_an_ended_log_names_its_bytes(client: httpx2.AsyncClient, house: LiveHouse) -> None:
    """Log, size and CRC-32; once it is sealed nobody needs to ask again."""
    assert (await client.get("/api/logs/7")).headers["cache-control"] == "private, no-cache"
    house.end(7, "closed", 0xAB)
    closed = await client.get("/api/logs/7")
    assert (closed.headers["etag"], closed.headers["cache-control"]) == (
        '"7-19-000000ab"',
        "private, no-cache",
    )
    house.end(7, "sealed", 0xAB)
    sealed = await client.get("/api/logs/7?lines=1-2")
    assert sealed.headers["etag"] == '"7-19-000000ab"'
    assert sealed.headers["cache-control"] == "private, max-age=31536000, immutable"


async def test_a_download_goes_on_only_in_the_log_it_began(client: httpx2.AsyncClient) -> None:
    """If-Range: the stretch when the log is as it was, all of it otherwise."""
    tag = (await client.get("/api/logs/7")).headers["etag"]
    went_on = await client.get("/api/logs/7", headers={"Range": "bytes=4-", "If-Range": tag})
    assert (went_on.status_code, went_on.content) == (206, TEXT[4:])
    for other in ('"7-18"', f"W/{tag}", "Wed, 21 Oct 2015 07:28:00 GMT"):
        anew = await client.get("/api/logs/7", headers={"Range": "bytes=4-", "If-Range": other})
        assert (anew.status_code, anew.content) == (200, TEXT)


async def test_a_removed_log_is_not_found(client: httpx2.AsyncClient, house: LiveHouse) -> None:
    """Its row remains; its bytes do not."""
    house.end(7, "removed")
    assert (await client.get("/api/logs/7")).status_code == 404
