"""Runs and jobs: started, listed, shown, aborted, run again, tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Literal, NamedTuple

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from sqlalchemy import Connection

from tailrace.api.ending import end_run, end_runs
from tailrace.api.lists import Cursor, Limit, Page, page
from tailrace.api.numbers import RowId
from tailrace.api.parameters import Parameters, seal_parameters
from tailrace.dispatch.why import explain, what_holds
from tailrace.domain.errors import Invalid
from tailrace.domain.model import JobView, RunSummary, RunView
from tailrace.domain.states import AttemptState, JobState, LogState, RunState
from tailrace.live.bus import Bus
from tailrace.live.scopes import PLANNING, QUEUE, wake_run
from tailrace.logs.base import LogReader, end_of
from tailrace.store import Store
from tailrace.store.agents import list_agents
from tailrace.store.job_views import get_job
from tailrace.store.projects import get_project
from tailrace.store.reopening import retry_failed, retry_job
from tailrace.store.runs import RunFilter, get_run, list_runs, runs_under_way
from tailrace.store.sealing import SealingKey
from tailrace.triggers.manual import start_again, start_manual

MAX_VARIABLES = 200
MAX_VARIABLES_BYTES = 1024 * 1024


class RunWish(BaseModel):
    """`revision` is a commit, branch or tag; the default branch when it is left out."""

    model_config = ConfigDict(extra="forbid")
    plan: RowId
    revision: Annotated[str, Field(pattern=r"^[^-\s~^:?*\[\\][^\s~^:?*\[\\]{0,255}$")] | None = None
    variables: Annotated[dict[str, str], Field(max_length=MAX_VARIABLES)] = {}
    parameters: Parameters = {}

    @field_validator("variables")
    @classmethod
    def _names(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if not name.isidentifier() or not name.isascii() or name.startswith("TAILRACE_"):
                raise ValueError(
                    f"{name!r} is not a variable's name: letters, digits and _, not beginning with a digit or TAILRACE_"
                )
            if "\0" in text or len(text.encode()) >= 128 * 1024:
                raise ValueError(
                    f"the value of {name} has a NUL or 128 KiB and more: no environment can hold it"
                )
        size = sum(len(name) + len(text.encode()) for name, text in value.items())
        if size > MAX_VARIABLES_BYTES:
            raise ValueError(
                f"the variables have {size} bytes; together they may have 1 MiB: no more reaches a program"
            )
        return value


class RerunWish(BaseModel):
    """`all` jobs in a new run, or those that `failed` or were aborted, once more in this one.

    A new run has the same version of the plan and the same revision, or the `newest`.
    """

    model_config = ConfigDict(extra="forbid")
    jobs: Literal["all", "failed"] = "all"
    plan: Literal["same", "newest"] = "same"
    revision: Literal["same", "newest"] = "same"

    @model_validator(mode="after")
    def _is_one(self) -> RerunWish:
        if self.jobs == "failed" and "newest" in (self.plan, self.revision):
            raise ValueError(
                "what failed is tried again in its own run, whose plan and revision stay: leave out"
                ' "plan" and "revision", or "jobs"'
            )
        return self


class AbortWish(BaseModel):
    """All runs of a project's branch."""

    model_config = ConfigDict(extra="forbid")
    project: RowId
    branch: Annotated[str, Field(min_length=1, max_length=1000)]


class Aborted(BaseModel):
    """The runs that were told to end."""

    runs: list[int]


class Runs:
    """What the routes do; the page's topics show runs the same way."""

    def __init__(
        self,
        store: Store,
        logs: LogReader,
        bus: Bus,
        lease_ms: int,
        stalled: Callable[[int, str | None], str | None],
        key: SealingKey,
    ) -> None:
        """`stalled` gives an attempt's `stalled` as it is now, from what the store has; `key` seals values of parameters."""
        self._store = store
        self._logs = logs
        self._bus = bus
        self._lease_ms = lease_ms
        self._stalled = stalled
        self._key = key

    async def show(self, id: int) -> RunView:
        """A run with its jobs, the sizes of logs that still grow, and why jobs wait. Raises NotFound."""
        run, waits = await self._store.read(_run_with_waits, id, self._lease_ms)
        jobs = await self._complete(run.jobs, waits)
        return run.model_copy(update={"jobs": jobs, "approval": waits.approvals.get(None)})

    async def show_job(self, id: int) -> JobView:
        """A job likewise. Raises NotFound."""
        (job,) = await self._complete(*await self._store.read(_job_with_waits, id, self._lease_ms))
        return job

    async def start(self, wish: RunWish, by: str) -> RunView:
        """A run that a person asked for."""
        id = await self._store.write(
            start_manual,
            wish.plan,
            revision=wish.revision,
            variables=wish.variables,
            parameters=seal_parameters(wish.parameters, self._key),
            by=by,
        )
        return await self._begun(id)

    async def start_again(self, id: int, by: str, wish: RerunWish) -> RunView:
        """The same once more, or with what is newest."""
        made = await self._store.write(
            start_again,
            id,
            by=by,
            newest_plan=wish.plan == "newest",
            newest_revision=wish.revision == "newest",
        )
        return await self._begun(made)

    async def retry_failed(self, id: int) -> RunView:
        """Another attempt at each job that failed or was aborted. Raises NotFound, MoveRefused, Conflict."""
        await self._store.write(retry_failed, id)
        return await self._begun(id)

    async def retry_job(self, id: int) -> JobView:
        """Another attempt at a job that failed or was aborted. Raises NotFound, MoveRefused."""
        await self._begun(await self._store.write(retry_job, id))
        return await self.show_job(id)

    async def abort(self, id: int, by: str) -> RunView:
        """End a run before its time. Raises NotFound, or MoveRefused when it has ended."""
        await end_run(self._store, self._bus, id, by)
        return await self.show(id)

    async def abort_branch(self, wish: AbortWish, by: str) -> Aborted:
        """End all runs of a branch, each by itself. Raises NotFound for the project."""
        await self._store.read(get_project, wish.project)
        under_way = await self._store.read(runs_under_way, wish.project, wish.branch)
        return Aborted(runs=await end_runs(self._store, self._bus, under_way, by))

    async def _begun(self, id: int) -> RunView:
        self._bus.publish(QUEUE)
        self._bus.publish(PLANNING)
        wake_run(self._bus, id)
        return await self.show(id)

    async def _complete(self, jobs: Sequence[JobView], waits: _Waits) -> tuple[JobView, ...]:
        shown = [await self._with_open_logs(job) for job in jobs]
        return tuple(
            job.model_copy(update={"why": waits.whys[job.id], "approval": waits.approvals.get(job.id)})
            if job.id in waits.whys
            else job
            for job in shown
        )

    async def _with_open_logs(self, job: JobView) -> JobView:
        open_logs = [
            attempt
            for attempt in job.attempts
            if attempt.log_state is LogState.OPEN and attempt.state is not AttemptState.PENDING
        ]
        if not open_logs:
            return job
        sizes = {log.log: await asyncio.to_thread(end_of, self._logs, log.log) for log in open_logs}
        attempts = tuple(
            attempt.model_copy(
                update={
                    "log_size": sizes.get(attempt.log, attempt.log_size),
                    "stalled": self._stalled(attempt.id, attempt.stalled),
                }
            )
            for attempt in job.attempts
        )
        return job.model_copy(update={"attempts": attempts})


class _Waits(NamedTuple):
    """What jobs wait for, in words, by id; and the approvals that are asked for, by the job's id, None for the whole run."""

    whys: Mapping[int, str]
    approvals: Mapping[int | None, int]


def _run_with_waits(connection: Connection, id: int, lease_ms: int) -> tuple[RunView, _Waits]:
    run = get_run(connection, id)
    return run, _waits(connection, run.jobs, lease_ms)


def _job_with_waits(connection: Connection, id: int, lease_ms: int) -> tuple[tuple[JobView], _Waits]:
    job = get_job(connection, id)
    return (job,), _waits(connection, (job,), lease_ms)


def _waits(connection: Connection, jobs: Sequence[JobView], lease_ms: int) -> _Waits:
    """Of jobs of one run; asked once for all."""
    waiting = [job for job in jobs if job.state in (JobState.WAITING, JobState.PENDING)]
    if not waiting:
        return _Waits({}, {})
    held = what_holds(connection, waiting[0].run)
    agents = list_agents(connection, lease_ms)
    words = {job.id: explain(job, agents, held) for job in waiting}
    return _Waits({id: why for id, why in words.items() if why is not None}, held.approvals)


def runs_router(runs: Runs, store: Store) -> APIRouter:
    """Routes for runs and jobs."""
    router = APIRouter(tags=["runs"])

    @router.get("/api/runs")
    async def show_all(
        state: Annotated[str | None, Query()] = None,
        project: Annotated[RowId | None, Query()] = None,
        plan: Annotated[RowId | None, Query()] = None,
        branch: Annotated[str | None, Query()] = None,
        trigger: Annotated[RowId | None, Query(description="Only runs that this trigger started.")] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Page[RunSummary]:
        wanted = RunFilter(run_state(state), project, plan, branch, cursor, limit + 1, trigger)
        found = await store.read(list_runs, wanted)
        return page(found, limit, [run.id for run in found])

    @router.post("/api/runs", status_code=201)
    async def start(wish: RunWish, request: Request) -> RunView:
        return await runs.start(wish, request.state.name)

    @router.post("/api/runs/abort")
    async def abort_branch(wish: AbortWish, request: Request) -> Aborted:
        """All that have not ended."""
        return await runs.abort_branch(wish, request.state.name)

    @router.get("/api/runs/{id}")
    async def show(id: RowId) -> RunView:
        return await runs.show(id)

    @router.post("/api/runs/{id}/abort")
    async def abort(id: RowId, request: Request) -> RunView:
        return await runs.abort(id, request.state.name)

    @router.post("/api/runs/{id}/rerun", status_code=201)
    async def rerun(
        id: RowId, request: Request, response: Response, wish: RerunWish | None = None
    ) -> RunView:
        """201 and a new run; or 200 and this one, which goes on with what failed."""
        wish = wish or RerunWish()
        if wish.jobs == "all":
            return await runs.start_again(id, request.state.name, wish)
        response.status_code = 200
        return await runs.retry_failed(id)

    @router.get("/api/jobs/{id}")
    async def show_job(id: RowId) -> JobView:
        return await runs.show_job(id)

    @router.post("/api/jobs/{id}/retry")
    async def retry_job(id: RowId) -> JobView:
        return await runs.retry_job(id)

    return router


def run_state(word: str | None) -> RunState | None:
    """The state that a filter names; None for none or an empty word. Raises Invalid."""
    if word is None or word == "":
        return None
    try:
        return RunState(word)
    except ValueError:
        raise Invalid(f"state: found {word!r}; allowed are {', '.join(RunState)}") from None
