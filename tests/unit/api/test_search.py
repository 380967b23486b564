"""Searching by HTTP: one log, and the logs of many runs."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import Connection

from tailrace.api import search as search_api
from tailrace.api.search import search_router
from tailrace.domain.spans import Span, Stream
from tailrace.domain.states import LogState
from tailrace.live.hub import LogView
from tailrace.logs.search import LogSearch
from tailrace.store import Store, open_store
from tailrace.store.tables import log as logs_table
from tailrace.store.tables import run as runs_table
from tests.support.databases import migrated
from tests.support.live_house import BACKSTOP_S, LiveHouse, in_time, live_house, until
from tests.unit.store.world import PUSH, a_job, a_plan, a_project, a_run, jobs_by_name


class SearchHouse:
    """A server that searches, its logs, and its store."""

    def __init__(self, house: LiveHouse, store: Store, search: LogSearch) -> None:
        self.live = house
        self.store = store
        self.engine = search
        self.client = httpx2.AsyncClient(base_url=house.url, trust_env=False, timeout=BACKSTOP_S)

    async def records(self, path: str, **query: Any) -> list[dict[str, Any]]:
        response = await self.client.get(path, params=query)
        assert response.status_code == 200, response.text
        assert response.headers["content-type"] == "application/x-ndjson"
        return [json.loads(line) for line in response.text.splitlines()]

    async def hits(self, path: str, **query: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """The hits, and the end."""
        *hits, end = [record for record in await self.records(path, **query) if "progress" not in record]
        return hits, end["end"]

    async def run_with_logs(
        self, text: str, plan: int | None = None, **columns: Any
    ) -> tuple[int, list[int]]:
        """A run with two jobs whose logs say `text`; its id, and the logs."""

        def make(connection: Connection) -> tuple[int, list[int]]:
            branch = columns.pop("branch", "main")
            event = PUSH.model_copy(update={"branch": branch})
            run = a_run(connection, a_job("build"), a_job("test"), plan_id=plan, event=event)
            if columns:
                connection.execute(runs_table.update().where(runs_table.c.id == run).values(**columns))
            return run, [job.attempts[0].log for job in jobs_by_name(connection, run).values()]

        run, logs = await self.store.write(make)
        for log, name in zip(logs, ("build", "test"), strict=True):
            self.live.create(log)
            self.live.append(log, f"{name} begins\n{text} in {name}\n".encode())
        return run, logs


@pytest.fixture
async def house(tmp_path: Path) -> AsyncGenerator[SearchHouse]:
    store = await open_store(migrated(tmp_path / "tailrace.db"))
    search: LogSearch | None = None

    def routes(live: LiveHouse) -> Any:
        nonlocal search
        search = LogSearch(live.logs, threads=2, first_block=1024, block=4096)
        return search_router(live.logs, live.describe, store, search)

    async with live_house(tmp_path / "logs", routes) as live:
        assert search is not None
        made = SearchHouse(live, store, search)
        yield made
        await made.client.aclose()
        search.close()
    await store.close()


async def test_a_hit_tells_where_and_what(house: SearchHouse) -> None:
    """Line, offset, excerpt with the places of the matches, and whence the bytes came; the end counts."""
    house.live.create(7)
    house.live.append(7, b"first\n", [Span(0, 1000, Stream.STDOUT, 0)])
    house.live.append(7, "🚀 an Error: error\n".encode(), [Span(6, 2000, Stream.STDERR, 3)])
    assert await house.records("/api/logs/7/search", q="ERROR") == [
        {
            "line": 2,
            "offset": 14,
            "text": "🚀 an Error: error",
            "ranges": [[6, 11], [13, 18]],
            "time": 2000,
            "stream": "stderr",
            "step": 3,
        },
        {"end": {"hits": 1, "searched": 27, "limited": False, "next": None}},
    ]
    assert (await house.hits("/api/logs/7/search", q="ERROR", case=1))[0] == []
    (hit,), _ = await house.hits("/api/logs/7/search", q=r"^.* an \w+", regex=1)
    assert hit["ranges"] == [[0, 11]]
    assert (await house.hits("/api/logs/7/search", q="r", stream="stdout"))[0][0]["line"] == 1


async def test_a_log_is_searched_page_by_page(house: SearchHouse) -> None:
    """`limit` ends it, and `from` with the end's `next` goes on: all hits, none twice."""
    house.live.create(7)
    house.live.append(7, b"".join(b"%d line\n" % n for n in range(2500)))
    found: list[int] = []
    start: int | None = 0
    while start is not None:
        hits, end = await house.hits("/api/logs/7/search", q="line", limit=400, **{"from": start})
        found += [hit["line"] for hit in hits]
        assert end["hits"] == len(hits)
        assert end["limited"] == (end["next"] is not None)
        start = end["next"]
    assert found == list(range(1, 2501))
    assert (await house.hits("/api/logs/7/search", q="line", **{"from": 10**9}))[0] == []
    assert len((await house.hits("/api/logs/7/search", q="line"))[0]) == 1000


async def test_a_live_log_is_searched_to_its_end_at_the_moment(house: SearchHouse) -> None:
    """And one without a byte has no hit."""
    house.live.create(7)
    assert await house.hits("/api/logs/7/search", q="x") == (
        [],
        {"hits": 0, "searched": 0, "limited": False, "next": None},
    )
    house.live.known.add(8)  # its writer has not begun
    assert (await house.hits("/api/logs/8/search", q="x"))[0] == []
    house.live.append(7, b"tor")
    assert (await house.hits("/api/logs/7/search", q="torn"))[0] == []
    house.live.append(7, b"n")
    assert (await house.hits("/api/logs/7/search", q="torn"))[0][0]["text"] == "torn"


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", "q"),
        ("q=", "q"),
        ("q=a%0Ab", "q"),
        ("q=%28&regex=1", "q"),
        ("q=a&regex=2", "regex"),
        ("q=a&case=x", "case"),
        ("q=a&limit=0", "limit"),
        ("q=a&limit=100001", "limit"),
        ("q=a&from=-1", "from"),
        ("q=a&stream=x", "stream"),
    ],
)
async def test_a_bad_wish_is_named(house: SearchHouse, query: str, names: str) -> None:
    """400, as a problem, before anything is searched."""
    house.live.create(7)
    answer = await house.client.get(f"/api/logs/7/search?{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert answer.json()["detail"].startswith(f"{names}:")
    if names != "from":
        over_runs = await house.client.get(f"/api/search?{query}")
        assert over_runs.json() == answer.json()


async def test_an_unknown_log_is_not_found(house: SearchHouse) -> None:
    assert (await house.client.get("/api/logs/7/search?q=a")).status_code == 404


async def test_a_log_that_vanishes_meanwhile_breaks_the_search_off(house: SearchHouse) -> None:
    """The status is sent: the last record says it instead of an end."""
    house.live.known.add(7)
    house.live.ended[7] = LogView("closed", 5000)
    (record,) = await house.records("/api/logs/7/search", q="a")
    assert record["error"]["status"] == 404


async def test_the_first_hit_comes_while_the_rest_is_searched(
    house: SearchHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a client that goes away stops the search, as soon as the blocks at hand are done."""
    house.live.create(7)
    house.live.append(7, b"needle\n" + b"hay\n" * 500_000)
    gate = threading.Event()
    read = house.live.logs.read
    blocks = 0

    def gated(log: int, start: int, stop: int) -> bytes:
        nonlocal blocks
        blocks += 1
        assert start == 0 or gate.wait(60)
        return read(log, start, stop)

    monkeypatch.setattr(house.live.logs, "read", gated)
    async with house.client.stream("GET", "/api/logs/7/search?q=needle") as response:
        first = await in_time(anext(response.aiter_lines()))
        assert json.loads(first)["line"] == 1
    await asyncio.sleep(0)
    gate.set()
    await until(
        lambda: not any("run_asgi" in repr(task) for task in asyncio.all_tasks()), "the request to end"
    )
    assert blocks < 100


async def test_progress_is_told_when_nothing_is_found(
    house: SearchHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that no proxy takes silence for death."""
    monkeypatch.setattr(search_api, "PROGRESS_S", 0.0)
    house.live.create(7)
    house.live.append(7, b"hay\n" * 10_000)
    *progress, end = await house.records("/api/logs/7/search", q="needle")
    searched = [record["progress"]["searched"] for record in progress]
    assert len(searched) > 3
    assert searched == sorted(searched)
    assert end["end"]["searched"] == 40_000


async def test_too_many_searches_are_told_to_come_again(
    house: SearchHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 with Retry-After; those that are under way go on."""
    house.live.create(7)
    house.live.append(7, b"needle\n")
    gate = threading.Event()
    read = house.live.logs.read

    def gated(log: int, start: int, stop: int) -> bytes:
        assert gate.wait(60)
        return read(log, start, stop)

    monkeypatch.setattr(house.live.logs, "read", gated)
    going = [
        asyncio.create_task(house.hits("/api/logs/7/search", q="needle"))
        for _ in range(search_api.MOST_AT_ONCE)
    ]
    refused: list[httpx2.Response] = []

    async def another() -> bool:
        answer = await asyncio.wait_for(house.client.send(request, stream=True), BACKSTOP_S)
        if answer.status_code == 503:
            refused.append(answer)
        await answer.aclose()
        return bool(refused)

    request = house.client.build_request("GET", "/api/logs/7/search?q=needle")
    while not await another():
        await asyncio.sleep(0.01)
    assert refused[0].headers["retry-after"] == "5"
    gate.set()
    for hits, _ in await in_time(asyncio.gather(*going)):
        assert len(hits) == 1


async def test_the_logs_of_many_runs_newest_first(
    house: SearchHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each hit names run, job, attempt and log; the jobs of a run come in their order; pages of runs are joined."""
    monkeypatch.setattr(search_api, "RUNS_A_PAGE", 3)
    made = [await house.run_with_logs(f"needle {n}") for n in range(8)]
    hits, end = await house.hits("/api/search", q="needle")
    assert [(hit["run"]["id"], hit["job"], hit["log"]) for hit in hits] == [
        (run, job, log)
        for run, logs in reversed(made)
        for job, log in zip(("build", "test"), logs, strict=True)
    ]
    assert hits[0]["text"] == "needle 7 in build"
    assert (hits[0]["line"], hits[0]["attempt"], hits[0]["run"]["plan_name"]) == (2, 1, "default")
    assert set(hits[0]["run"]) == {"id", "number", "plan_name", "project_name"}
    assert end["logs"] == 16
    assert (end["hits"], end["limited"]) == (16, False)
    assert end["searched"] == sum(house.live.logs.end(log) for _, logs in made for log in logs)
    few, end = await house.hits("/api/search", q="needle", limit=3)
    assert few == hits[:3]
    assert (end["hits"], end["limited"]) == (3, True)
    one_each, _ = await house.hits("/api/search", q="e", per_log=1)
    assert [hit["line"] for hit in one_each] == [1] * 16


async def test_runs_are_chosen(house: SearchHouse) -> None:
    """By project, plan, branch, state, and the time at which they were created."""

    def plans(connection: Connection) -> tuple[int, int, int]:
        project = a_project(connection)
        return project, a_plan(connection, project, "one"), a_plan(connection, project, "two")

    project, one, two = await house.store.write(plans)
    hour = 3600 * 1000
    old, _ = await house.run_with_logs("needle", one, created_at=50 * hour)
    stepped_back, _ = await house.run_with_logs("needle", one, created_at=50 * hour - 1000)
    other, _ = await house.run_with_logs("needle", two, branch="side", created_at=60 * hour)
    failed, _ = await house.run_with_logs("needle", None, state="failed", finished_at=1, created_at=70 * hour)

    async def runs(**query: Any) -> list[int]:
        hits, _ = await house.hits("/api/search", q="needle", per_log=1, **query)
        return [hit["run"]["id"] for hit in hits if hit["job"] == "build"]

    assert await runs() == [failed, other, stepped_back, old]
    assert await runs(project=project) == [other, stepped_back, old]
    assert await runs(plan=two) == [other]
    assert await runs(branch="main") == [failed, stepped_back, old]
    assert await runs(state="failed") == [failed]
    assert await runs(since=50 * hour) == [failed, other, old]
    assert await runs(since="1970-01-03T12:00:00Z") == [failed, other]
    assert await runs(until=50 * hour) == [stepped_back]
    assert await runs(since=50 * hour, until=60 * hour, plan=one) == [old]
    assert await runs(since=99 * hour) == []
    for query, names in (("state=odd", "state"), ("since=never", "since"), ("per_log=0", "per_log")):
        answer = await house.client.get(f"/api/search?q=a&{query}")
        assert (answer.status_code, answer.json()["detail"][: len(names)]) == (400, names)


async def test_logs_that_are_gone_are_left_out(house: SearchHouse) -> None:
    """A removed one silently; one whose bytes cannot be read is named, and the others are searched."""
    _, (gone, lost) = await house.run_with_logs("needle")
    kept, _ = await house.run_with_logs("needle")

    def remove(connection: Connection) -> None:
        for log, state in ((gone, LogState.REMOVED), (lost, LogState.CLOSED)):
            values = {"state": state, "size": 10, "closed_at": 1}
            connection.execute(logs_table.update().where(logs_table.c.id == log).values(**values))

    await house.store.write(remove)
    for log in (gone, lost):
        house.live.logs.remove(log)
    *records, end = await house.records("/api/search", q="needle")
    assert [record["run"]["id"] for record in records[:2]] == [kept, kept]
    (unreadable,) = records[2:]
    assert (unreadable["log"], unreadable["job"]) == (lost, "test")
    assert unreadable["unreadable"].startswith(f"log {lost} cannot be read")
    assert end["end"]["logs"] == 3


async def test_many_clients_search_at_once(house: SearchHouse) -> None:
    """Each gets its own hits, all of them."""
    house.live.create(7)
    house.live.append(7, b"".join(b"line %d.\n" % n for n in range(3000)))
    found = await in_time(asyncio.gather(*(house.hits("/api/logs/7/search", q=f"{n}.") for n in range(20))))
    for n, (hits, _) in enumerate(found):
        assert [hit["line"] for hit in hits] == [at + 1 for at in range(3000) if f"{at}.".endswith(f"{n}.")]
