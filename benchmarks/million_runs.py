"""Lists of runs by HTTP where a million are stored: every combination of filters, the first page, one in the middle, the last.

The baseline is the same of a server with a thousand runs: what remains is what the number of runs costs.
"""

from __future__ import annotations

import itertools
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.harness import Report, Row, median, percentile
from tailrace.store import open_store
from tailrace.store.plans import create_plan
from tailrace.store.projects import create_project
from tests.support.house import House

PROJECTS, PLANS = 20, 5
PAGE = 50

# Run n is of plan n % 100: the projects have five each. Six runs of ten are of `main`, four of one of a thousand branches. Of those
# that have ended 80 of 100 passed, 15 failed, 4 were aborted and one was skipped; the newest 200 have not ended.
_FILL = """
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :runs)
INSERT INTO run (id, number, project_id, plan_id, trigger_kind, trigger_event, ref, branch, revision, title, author, variables,
    state, reason, created_at, started_at, finished_at)
SELECT n, n, n % 100 / 5 + 1, n % 100 + 1, 'webhook', 'push', 'refs/heads/main',
    CASE WHEN (n / 100 * 7919 + n) % 10 < 6 THEN 'main' ELSE 'branch-' || (n / 10 * 104729 % 1000) END,
    '0123456789012345678901234567890123456789', 'A change of something, as people describe it', 'Ada', '{}',
    CASE WHEN n > :runs - 100 THEN 'pending' WHEN n > :runs - 200 THEN 'running'
        WHEN (n / 100 * 611953 + n) % 100 < 80 THEN 'passed' WHEN (n / 100 * 611953 + n) % 100 < 95 THEN 'failed'
        WHEN (n / 100 * 611953 + n) % 100 < 99 THEN 'aborted' ELSE 'skipped' END,
    NULL, n, n, CASE WHEN n > :runs - 200 THEN NULL ELSE n END
FROM numbers
"""


class Question(NamedTuple):
    """A list that somebody asks for; the medians of what it took, in ms."""

    filters: dict[str, Any]
    page: str
    ms: float

    def __str__(self) -> str:
        asked = " ".join(f"{name}={value}" for name, value in self.filters.items() if name != "cursor")
        return f"{asked or 'all'}, {self.page} page"


async def measure(folder: Path, quick: bool) -> Report:
    """The median of all questions, the percentile, and the slowest; each is the median of a few times."""
    many, times = (20_000, 2) if quick else (1_000_000, 5)
    began = time.perf_counter()
    ours = await _ask(folder / "many", many, times)
    few = await _ask(folder / "few", 1000, times)
    slowest = max(ours, key=lambda one: one.ms)
    figures = [[one.ms for one in side] for side in (ours, few)]
    name = f"million_runs: {many:,} stored, a page of {PAGE}"
    rows = tuple(
        Row(
            f"{name}, {what}",
            percentile(figures[0], share),
            percentile(figures[1], share),
            "ms",
            times,
            limit,
        )
        for what, share, limit in (
            ("median question", 50, ""),
            ("95 % of questions", 95, ""),
            ("slowest question", 100, "≤ 50 ms"),
        )
    )
    seconds = time.perf_counter() - began
    return Report(
        rows, (f"million_runs: {len(ours)} questions, the slowest: {slowest}. All took {seconds:.0f} s.",)
    )


async def _ask(folder: Path, runs: int, times: int) -> list[Question]:
    folder.mkdir()
    with House(folder) as house:
        await _fill(house.data / "tailrace.db", runs)
        house.server()
        return [
            Question(filters, page, median([_once(house, filters) for _ in range(times)]))
            for filters, page in _questions(runs)
        ]


def _questions(runs: int) -> Iterator[tuple[dict[str, Any], str]]:
    anything: dict[str, Any] = {}
    states = ("passed", "failed", "skipped", "running", "planning")
    for state, place, branch in itertools.product(
        (anything, *({"state": state} for state in states)),
        (anything, {"project": 7}, {"plan": 33}, {"project": 7, "plan": 33}, {"project": 8, "plan": 33}),
        (anything, {"branch": "main"}, {"branch": "branch-17"}, {"branch": "nowhere"}),
    ):
        for page, cursor in (
            ("first", anything),
            ("middle", {"cursor": runs // 2}),
            ("last", {"cursor": PAGE}),
        ):
            yield {**state, **place, **branch, **cursor}, page


def _once(house: House, filters: dict[str, Any]) -> float:
    began = time.perf_counter()
    answer = house.client.get("/api/runs", params={**filters, "limit": PAGE})
    took = (time.perf_counter() - began) * 1000
    assert answer.status_code == 200, answer.text
    return took


async def _fill(database: Path, runs: int) -> None:
    database.parent.mkdir(parents=True, exist_ok=True)
    store = await open_store(f"sqlite:///{database}")
    try:
        for number in range(PROJECTS):
            project = await store.write(create_project, f"project-{number}", "/nowhere")
            for name in range(PLANS):
                await store.write(create_plan, project.id, f"plan-{name}", definition="jobs: {}")
    finally:
        await store.close()
    with sqlite3.connect(database) as connection:
        connection.execute(_FILL, {"runs": runs})
        connection.execute("UPDATE project SET run_count = :runs", {"runs": runs})
    connection.close()
