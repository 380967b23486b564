"""Logs, listed by the runs they belong to."""

from __future__ import annotations

from sqlalchemy import Connection

from tailrace.domain.states import LogState, RunState
from tailrace.store.log_lists import SLACK_MS, ListedLog, LogFilter, RunBounds, list_logs, run_bounds
from tailrace.store.tables import log as logs
from tailrace.store.tables import run as runs
from tests.unit.store.world import PUSH, a_job, a_plan, a_run, jobs_by_name


def all_pages(connection: Connection, wanted: LogFilter, runs_a_page: int) -> list[ListedLog]:
    bounds: RunBounds | None = run_bounds(connection, wanted)
    found: list[ListedLog] = []
    while bounds is not None:
        page, bounds = list_logs(connection, wanted, bounds, runs_a_page)
        found += page
    return found


def test_pages_join_newest_run_first(connection: Connection) -> None:
    """However many runs a page has; the jobs of a run are in the order of its plan."""
    plan = a_plan(connection)
    made = [a_run(connection, a_job("b"), a_job("a"), plan_id=plan) for _ in range(7)]
    expected = [(run, job) for run in reversed(made) for job in ("b", "a")]
    for runs_a_page in (1, 3, 7, 50):
        found = all_pages(connection, LogFilter(plan=plan), runs_a_page)
        assert [(each.run_id, each.job) for each in found] == expected
    first = found[0]
    assert first.id == jobs_by_name(connection, made[-1])["b"].attempts[0].log
    assert (first.state, first.size, first.attempt, first.plan_name) == (LogState.OPEN, None, 1, "default")


def test_logs_without_bytes_are_left_out(connection: Connection) -> None:
    """Those that ended empty, and those that retention took; open ones may have bytes."""
    plan = a_plan(connection)
    run = a_run(connection, a_job("empty"), a_job("gone"), a_job("open"), a_job("whole"), plan_id=plan)
    by_name = {name: job.attempts[0].log for name, job in jobs_by_name(connection, run).items()}
    for name, state, size in (
        ("empty", LogState.CLOSED, 0),
        ("gone", LogState.REMOVED, 9),
        ("whole", LogState.CLOSED, 9),
    ):
        values = {"state": state, "size": size, "closed_at": 1}
        connection.execute(logs.update().where(logs.c.id == by_name[name]).values(**values))
    found = all_pages(connection, LogFilter(plan=plan), 10)
    assert [(each.job, each.size) for each in found] == [("open", None), ("whole", 9)]


def test_runs_are_filtered(connection: Connection) -> None:
    """Each condition, and all of them; a time holds exactly although clocks step back a little."""
    plan = a_plan(connection)
    day = 24 * SLACK_MS
    times = [day, 2 * day, 2 * day - SLACK_MS // 2, 3 * day, 3 * day, 3 * day - 1, 4 * day]
    made: dict[int, int] = {}
    for place, at in enumerate(times):
        branch = "side" if place % 2 else "main"
        run = a_run(connection, plan_id=plan, event=PUSH.model_copy(update={"branch": branch}))
        made[run] = at
        connection.execute(runs.update().where(runs.c.id == run).values(created_at=at))
    ids = list(made)
    connection.execute(runs.update().where(runs.c.id == ids[3]).values(state=RunState.RUNNING))

    def ids_of(**wanted: object) -> list[int]:
        return [each.run_id for each in all_pages(connection, LogFilter(plan=plan, **wanted), 2)]  # type: ignore[arg-type]

    assert ids_of() == ids[::-1]
    assert ids_of(branch="side") == ids[5::-2]
    assert ids_of(state=RunState.RUNNING) == [ids[3]]
    assert all_pages(connection, LogFilter(project=10**6), 2) == []
    for since in (None, *sorted(made.values())):
        for until in (None, *sorted(made.values())):
            assert ids_of(since=since, until=until) == [
                run
                for run, at in reversed(made.items())
                if (since is None or at >= since) and (until is None or at < until)
            ]


def test_a_time_narrows_the_ids(connection: Connection) -> None:
    """So that nobody reads all of history for last week's runs."""
    made = [a_run(connection) for _ in range(20)]
    for place, run in enumerate(made):
        connection.execute(runs.update().where(runs.c.id == run).values(created_at=place * 10 * SLACK_MS))
    bounds = run_bounds(connection, LogFilter(since=100 * SLACK_MS, until=120 * SLACK_MS))
    assert bounds == (made[10], made[13])
    assert run_bounds(connection, LogFilter()) == (0, made[-1] + 1)
