"""The queries that run per job or per page are served by an index, also when there are thousands of rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, update

from tailrace.domain.approvals import ApprovalState
from tailrace.domain.facts import Finished, Started, StepBegan, StepEnded
from tailrace.domain.outcome import Outcome
from tailrace.domain.plan import Concurrency
from tailrace.domain.slots import Slots
from tailrace.domain.states import AttemptState, RunState, StepState
from tailrace.domain.trust import Taker
from tailrace.store.aborts import abort_run, attempts_to_abort
from tailrace.store.agents import held_attempts, list_agents
from tailrace.store.approvals import ApprovalFilter, list_approvals
from tailrace.store.artifacts import list_artifacts
from tailrace.store.asking import open_approvals
from tailrace.store.delays import find_due, queue_due
from tailrace.store.deliveries import DeliveryFilter, find_delivery, list_deliveries
from tailrace.store.facts import apply_fact
from tailrace.store.job_turns import full_matrices, job_turns
from tailrace.store.job_views import get_job, jobs_of_run
from tailrace.store.leases import (
    Offer,
    end_lapsed,
    find_lapsed,
    lease_attempts,
    read_handovers,
    renew_leases,
)
from tailrace.store.log_lists import LogFilter, RunBounds, list_logs, run_bounds
from tailrace.store.logs import close_log, find_log, find_owner
from tailrace.store.migrate import migrate
from tailrace.store.planning import Resolved, claim_planning, end_planning, plan_run
from tailrace.store.plans import Seen, add_version, webhook_plans
from tailrace.store.retention import remove_log
from tailrace.store.runs import RunFilter, create_run, get_run, list_runs, runs_under_way, summaries
from tailrace.store.secrets import sealed_secrets, set_secret
from tailrace.store.segments import (
    SegmentRow,
    add_segment,
    claim_ended,
    claim_growing,
    count_waiting,
    find_sealed,
    release_seal_claims,
    renew_seal_claims,
    sealed_among,
    unseal,
)
from tailrace.store.servers import stamp_server
from tailrace.store.spoken import voice_of
from tailrace.store.sqlite import sqlite_engine
from tailrace.store.stalls import find_left_logs, left_logs_of, note_stalled, run_of_attempt, truncate_log
from tailrace.store.start_timeouts import find_late, give_up
from tailrace.store.tables import attempt, delivery, job, log, project, run, step
from tests.unit.store.world import a_job, a_plan, a_project, an_agent, new_run, planned

RUNS = 3000
LARGE = {"run", "job", "attempt", "step", "log", "segment", "delivery", "plan_version"}
SMALL_INDEXES = {
    "ix_attempt_queue",
    "ix_attempt_held",
    "ix_attempt_lease",
    "ix_attempt_start_by",
    "ix_run_planning",
    "ix_job_retry_at",
    "ix_job_concurrency",
    "ix_approval_open",
    "ix_log_unsealed",
}
"""They hold only the rows of the moment, whatever the history."""

FEW_ROWS = (
    "WHERE job.run_id = ?",
    "WHERE attempt.run_id IN",
    "WHERE attempt.job_id = ?",
    "WHERE run.delivery_id IN",
    "WHERE approval.run_id = ?",
    "WHERE attempt.run_id = ?",
)
"""What belongs to one run or to one page: to sort it costs the same however long the history is."""


class World:
    """A database with a history, and an eye on what is asked of it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.project = a_project(connection)
        self.plan = a_plan(connection, self.project)
        self.agent = an_agent(connection, "linux")
        self._fill()

    def _fill(self) -> None:
        """Run n has job n with attempt n and log n, from delivery n; the last hundred have not ended."""
        numbers = range(1, RUNS + 1)
        fresh = RUNS - 100

        def state(n: int) -> tuple[RunState, AttemptState]:
            if n <= fresh:
                return RunState.PASSED, AttemptState.PASSED
            if n <= fresh + 40:
                return RunState.PENDING, AttemptState.PENDING
            if n <= fresh + 60:
                return RunState.PENDING, AttemptState.LEASED
            return RunState.RUNNING, AttemptState.RUNNING

        spec = a_job("test").model_dump(mode="json")
        c = self.connection
        c.execute(
            insert(delivery),
            [
                {
                    "id": n,
                    "project_id": self.project,
                    "source": "github",
                    "key": str(n),
                    "headers": {},
                    "body": b"",
                    "state": "accepted",
                    "received_at": n,
                }
                for n in numbers
            ],
        )
        c.execute(
            insert(run),
            [
                {
                    "id": n,
                    "number": n,
                    "project_id": self.project,
                    "plan_id": self.plan,
                    "delivery_id": n,
                    "trigger_kind": "webhook",
                    "trigger_event": "push",
                    "branch": f"branch-{n % 7}",
                    "variables": {},
                    "state": state(n)[0],
                    "created_at": n,
                    "finished_at": n if n <= fresh else None,
                }
                for n in numbers
            ],
        )
        c.execute(
            insert(job),
            [
                {
                    "id": n,
                    "run_id": n,
                    "position": 0,
                    "name": "test",
                    "spec": spec,
                    "state": "passed" if n <= fresh else state(n)[0],
                    "created_at": n,
                    "finished_at": n if n <= fresh else None,
                }
                for n in numbers
            ],
        )
        c.execute(insert(log), [{"id": n, "state": "open", "created_at": n} for n in numbers])
        c.execute(
            insert(attempt),
            [
                {
                    "id": n,
                    "run_id": n,
                    "job_id": n,
                    "number": 1,
                    "log_id": n,
                    "cookie": str(n),
                    "labels": "linux" if n % 2 else "",
                    "state": state(n)[1],
                    "agent_id": None if state(n)[1] is AttemptState.PENDING else self.agent,
                    "leased_at": n,
                    "lease_until": n if fresh + 40 < n else None,
                    "start_by": n,
                    "created_at": n,
                    "finished_at": n if n <= fresh else None,
                }
                for n in numbers
            ],
        )
        c.execute(
            insert(step),
            [{"attempt_id": n, "position": 0, "name": "make", "state": "passed"} for n in numbers],
        )
        c.execute(project.update().values(run_count=RUNS + 20))
        c.execute(run.update().where(run.c.id > RUNS - 10).values(state="planning"))
        c.execute(
            insert(run),
            [
                {
                    "number": RUNS + n,
                    "project_id": self.project,
                    "plan_id": self.plan,
                    "trigger_kind": "webhook",
                    "trigger_event": "push",
                    "variables": {},
                    "state": "planning",
                    "created_at": n,
                }
                for n in range(1, 20)
            ],
        )

    def plans_of(self, act: Callable[[Connection], Any]) -> dict[str, list[str]]:
        """What SQLite does for each statement of `act`, which is then undone."""
        asked: list[tuple[str, Any]] = []

        def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
            if statement.split()[0] in ("SELECT", "UPDATE", "DELETE") and not many:
                asked.append((statement, parameters))

        self.connection.exec_driver_sql("SAVEPOINT look")
        event.listen(self.connection, "before_cursor_execute", note)
        try:
            act(self.connection)
        finally:
            event.remove(self.connection, "before_cursor_execute", note)
        assert asked, "it asked nothing: the test would prove nothing"
        plans = {
            statement: [
                row[3]
                for row in self.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            ]
            for statement, parameters in asked
        }
        self.connection.exec_driver_sql("ROLLBACK TO look")
        self.connection.exec_driver_sql("RELEASE look")
        return plans


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    path: Path = tmp_path_factory.mktemp("plans") / "tailrace.db"
    migrate(f"sqlite:///{path}")
    engine = sqlite_engine(path)
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield World(connection)
        connection.exec_driver_sql("ROLLBACK")
    engine.dispose()


def complaints(plans: dict[str, list[str]], *, pages: bool = False) -> list[str]:
    """Steps that take longer the longer the history is; `pages`: ids from the newest on are scanned, up to a limit."""
    found: list[str] = []
    for statement, steps in plans.items():
        for said in steps:
            scan = re.match(r"SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?", said)
            newest_first = pages and said.split() == ["SCAN", "run"] and "LIMIT" in statement
            newest_first |= pages and said.split() == ["SCAN", "delivery"] and "LIMIT" in statement
            if scan and scan[1] in LARGE and scan[2] not in SMALL_INDEXES and not newest_first:
                found.append(f"{said}: {statement}")
            if "USE TEMP B-TREE" in said and not any(rows in statement for rows in FEW_ROWS):
                found.append(f"{said}: {statement}")
    return found


AT = 10**6
HELD, RUNNING = RUNS - 50, RUNS - 20
STEP_ENDED = StepEnded(time=AT, step=1, name="s", state=StepState.PASSED)
FINISHED = Finished(time=AT, outcome=Outcome(state=AttemptState.PASSED), size=0, crc32=0)


def _lapse(connection: Connection) -> None:
    for lapsed in find_lapsed(connection)[:30]:
        end_lapsed(connection, lapsed, 0)


def _queue_due(connection: Connection) -> None:
    connection.execute(update(job).where(job.c.id <= 5).values(retry_at=1))
    for due in find_due(connection)[:5]:
        queue_due(connection, due)


def _give_up(connection: Connection) -> None:
    for late in find_late(connection)[:5]:
        give_up(connection, late, "no agent took it")


def _wanting(connection: Connection) -> None:
    set_secret(connection, None, "A", b"sealed", warnings=[], author="Ada")
    (handover,) = read_handovers(connection, [HELD])
    lease = handover.lease
    wanting = lease.model_copy(update={"job": lease.job.model_copy(update={"secrets": ("A",)})})
    assert sealed_secrets(connection, [wanting])[HELD]


def _plan(connection: Connection) -> None:
    first, second, *_ = claim_planning(connection, "a", 1000, Slots(20, 20, 20))[10:]
    assert plan_run(
        connection, first, "text", planned(a_job("a")), Resolved("a" * 40, None, None, None, None)
    )
    assert end_planning(connection, second.run_id, "fail", "plan_invalid", "x", "a")


def _seal(connection: Connection) -> None:
    (work,) = claim_growing(connection, "a", 1000, [RUNS])
    row = SegmentRow(0, 0, 5, 0, 0, 0, 0, 9, "0" * 64, 0, work.key)
    assert add_segment(connection, "a", work.log_id, row) is not None


def _take_turns(connection: Connection, world: World) -> None:
    deploy = a_job("deploy").model_copy(update={"concurrency": Concurrency(group="x")})
    first, second = (
        create_run(connection, new_run(connection, [deploy], plan_id=world.plan)) for _ in range(2)
    )
    assert job_turns(connection, second)
    assert not full_matrices(connection, second)
    abort_run(connection, first, "Ada")
    assert not job_turns(connection, second)


GROUPED = planned(a_job("a"), max_parallel=1)

PER_JOB: dict[str, Callable[[World], Callable[[Connection], Any]]] = {
    "lease_attempts": lambda w: (
        lambda c: lease_attempts(c, [Offer(w.agent, Taker(frozenset({"linux"})), 4)], 1000)
    ),
    "sealed_secrets": lambda w: _wanting,
    "renew_leases": lambda w: lambda c: renew_leases(c, w.agent, 1000),
    "held_attempts": lambda w: lambda c: held_attempts(c, w.agent),
    "attempts_to_abort": lambda w: lambda c: attempts_to_abort(c, w.agent),
    "find_lapsed and end_lapsed": lambda w: _lapse,
    "find_late and give_up": lambda w: _give_up,
    "find_due and queue_due": lambda w: _queue_due,
    "claim_planning and plan_run": lambda w: _plan,
    "started": lambda w: lambda c: apply_fact(c, w.agent, HELD, Started(time=AT)),
    "step began": lambda w: lambda c: apply_fact(c, w.agent, RUNNING, StepBegan(time=AT, step=1, name="s")),
    "step ended": lambda w: lambda c: apply_fact(c, w.agent, RUNNING, STEP_ENDED),
    "finished": lambda w: lambda c: apply_fact(c, w.agent, RUNNING, FINISHED),
    "abort_run": lambda w: lambda c: abort_run(c, RUNNING, "Ada"),
    "create_run": lambda w: lambda c: create_run(c, new_run(c, [a_job("a"), a_job("b")], plan_id=w.plan)),
    "create_run behind others": lambda w: (
        lambda c: create_run(c, new_run(c, None, plan_id=w.plan, plan=GROUPED))
    ),
    "turns of jobs": lambda w: lambda c: _take_turns(c, w),
    "webhook_plans": lambda w: lambda c: webhook_plans(c, w.project),
    "add_version": lambda w: (
        lambda c: add_version(c, w.plan, "text", Seen("refs/heads/main", "a" * 40, False, None))
    ),
    "stamp_server": lambda w: lambda c: stamp_server(c, "a", 1000),
    "find_delivery": lambda w: lambda c: find_delivery(c, w.project, "github", "17"),
    "find_left_logs": lambda w: lambda c: find_left_logs(c, 1000),
    "left_logs_of": lambda w: lambda c: left_logs_of(c, [w.agent]),
    "truncate_log": lambda w: lambda c: truncate_log(c, 17, 0),
    "note_stalled": lambda w: lambda c: note_stalled(c, 17, "why"),
    "run_of_attempt": lambda w: lambda c: run_of_attempt(c, 17),
    "close_log": lambda w: lambda c: close_log(c, 17, 0, 0),
    "find_log": lambda w: lambda c: find_log(c, 17),
    "claim_ended": lambda w: lambda c: claim_ended(c, "a", 1000, 10, large=1, delay_ms=0),
    "claim_growing": lambda w: lambda c: claim_growing(c, "a", 1000, [RUNS, RUNS - 1]),
    "add_segment": lambda w: _seal,
    "renew_seal_claims": lambda w: lambda c: renew_seal_claims(c, "a", [17, 18], 1000),
    "release_seal_claims": lambda w: lambda c: release_seal_claims(c, "a", [17, 18], ["key"]),
    "find_sealed": lambda w: lambda c: find_sealed(c, 17, 1),
    "unseal": lambda w: lambda c: unseal(c, RUNS),
    "remove_log": lambda w: lambda c: remove_log(c, 17, "old"),
    "sealed_among": lambda w: lambda c: sealed_among(c, [1, 2, 3]),
    "find_owner": lambda w: lambda c: find_owner(c, 17),
}
PER_PAGE: dict[str, Callable[[World], Callable[[Connection], Any]]] = {
    **{
        f"list_runs {' '.join(names) or 'all'}": (
            lambda w, names=names: (
                lambda c: list_runs(
                    c,
                    RunFilter(
                        **{
                            name: {
                                "state": RunState.RUNNING,
                                "project": w.project,
                                "plan": w.plan,
                                "branch": "branch-3",
                                "before": 2000,
                            }[name]
                            for name in names
                        }  # type: ignore[arg-type]
                    ),
                )
            )
        )
        for names in (
            (),
            ("before",),
            ("state",),
            ("project",),
            ("plan",),
            ("branch",),
            ("state", "before"),
            ("project", "before"),
            ("plan", "before"),
            ("branch", "before"),
            ("project", "state", "before"),
            ("project", "branch"),
            ("plan", "state"),
        )
    },
    "run_bounds": lambda w: lambda c: run_bounds(c, LogFilter(since=10**9, until=2 * 10**9)),
    **{
        f"list_logs {' '.join(wanted) or 'all'}": (
            lambda w, wanted=wanted: (
                lambda c: list_logs(
                    c,
                    LogFilter(
                        **{
                            name: {
                                "state": RunState.RUNNING,
                                "project": w.project,
                                "plan": w.plan,
                                "branch": "branch-3",
                                "since": 10,
                                "until": 2000,
                            }[name]
                            for name in wanted
                        }  # type: ignore[arg-type]
                    ),
                    RunBounds(5, 2000),
                    50,
                )
            )
        )
        for wanted in (
            (),
            ("state",),
            ("project",),
            ("plan",),
            ("branch",),
            ("since", "until"),
            ("project", "since"),
            ("branch", "state", "until"),
        )
    },
    "list_approvals open": lambda w: lambda c: list_approvals(c, ApprovalFilter(ApprovalState.OPEN)),
    "list_approvals of a run": lambda w: lambda c: list_approvals(c, ApprovalFilter(run=17)),
    "open_approvals": lambda w: lambda c: open_approvals(c, 17),
    "runs_under_way": lambda w: lambda c: runs_under_way(c, w.project, "branch-3"),
    "voice_of": lambda w: lambda c: voice_of(c, 17),
    "get_run": lambda w: lambda c: get_run(c, 17),
    "summaries": lambda w: lambda c: summaries(c, [3, 17, 5]),
    "jobs_of_run": lambda w: lambda c: jobs_of_run(c, 17),
    "get_job": lambda w: lambda c: get_job(c, 17),
    "list_deliveries": lambda w: lambda c: list_deliveries(c, DeliveryFilter()),
    "list_deliveries before": lambda w: lambda c: list_deliveries(c, DeliveryFilter(before=2000)),
    "list_deliveries of a project": lambda w: (
        lambda c: list_deliveries(c, DeliveryFilter(project=w.project, before=2000))
    ),
    "list_deliveries of a project and state": lambda w: (
        lambda c: list_deliveries(c, DeliveryFilter(project=w.project, state="invalid"))
    ),
    "list_deliveries of a source": lambda w: lambda c: list_deliveries(c, DeliveryFilter(source="gitea")),
    "list_deliveries of an event": lambda w: lambda c: list_deliveries(c, DeliveryFilter(event="nothing")),
    "list_agents": lambda w: lambda c: list_agents(c, 1000),
    "list_artifacts": lambda w: lambda c: list_artifacts(c, 17, after=9),
    "count_waiting": lambda w: count_waiting,
}


@pytest.mark.parametrize("act", PER_JOB.values(), ids=PER_JOB)
def test_what_runs_per_job(world: World, act: Callable[[World], Callable[[Connection], Any]]) -> None:
    assert complaints(world.plans_of(act(world))) == []


@pytest.mark.parametrize("act", PER_PAGE.values(), ids=PER_PAGE)
def test_what_runs_per_page(world: World, act: Callable[[World], Callable[[Connection], Any]]) -> None:
    assert complaints(world.plans_of(act(world)), pages=True) == []


def test_a_query_without_an_index_would_be_noticed(world: World) -> None:
    def scan(connection: Connection) -> None:
        connection.execute(attempt.select().where(attempt.c.cookie == "17"))

    def sort(connection: Connection) -> None:
        connection.execute(run.select().where(run.c.project_id == 1).order_by(run.c.title).limit(5))

    for act in (scan, sort):
        assert len(complaints(world.plans_of(act), pages=True)) == 1


@pytest.mark.parametrize(
    "wanted", [{"source": "gitea"}, {"event": "nothing"}, {"since": 2**50}, {"until": -(10**6)}]
)
def test_deliveries_that_there_are_none_of_are_not_looked_for_in_all(
    world: World, wanted: dict[str, Any]
) -> None:
    """Where nothing fits, a walk from the newest on has no end but the table's."""
    plans = world.plans_of(lambda c: list_deliveries(c, DeliveryFilter(**wanted)))
    walks = [said for steps in plans.values() for said in steps if said.split() == ["SCAN", "delivery"]]
    assert walks == []
