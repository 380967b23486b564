"""Reads the plans of runs in state `planning`: from the repository at the run's revision, or from its plan version."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Protocol

import structlog

from tailrace.domain.address import without_password
from tailrace.domain.errors import Invalid, RevisionNotFound, SourceUnreachable
from tailrace.domain.events import Event, EventKind
from tailrace.domain.filters import On, lacks_paths, why_not
from tailrace.domain.outcome import Reason
from tailrace.domain.parameters import Values, check_names, defaults, resolve
from tailrace.domain.plan import Plan, PlanInvalid
from tailrace.live.bus import Bus
from tailrace.live.scopes import PLANNING, QUEUE, wake_run
from tailrace.store import Store
from tailrace.store.found_plans import PLANS_FOLDER, find_plans, plan_files
from tailrace.store.planning import (
    PlanningWork,
    Resolved,
    claim_planning,
    end_planning,
    plan_run,
    release_claims,
    renew_claims,
)
from tailrace.store.plans import REPOSITORY_PLAN
from tailrace.store.run_secrets import run_secrets
from tailrace.store.schedules import follow_schedule, scheduled
from tailrace.store.sealing import SealingKey
from tailrace.triggers.in_force import follow_default_branch
from tailrace.triggers.planned import read_plan

CLAIM_MS = 30 * 1000
"""Claims are renewed while the work goes on: those of a server that died are free after this time."""
AT_ONCE = 4
_MOVES = (EventKind.PUSH, EventKind.CHANGE)
"""Events that a branch moved by."""
SLOW_S = 5.0

_log = structlog.get_logger("planner")


class Commit(Protocol):
    """The commit that a revision or ref names."""

    @property
    def revision(self) -> str: ...
    @property
    def ref(self) -> str | None: ...
    @property
    def branch(self) -> str | None: ...
    @property
    def title(self) -> str: ...
    @property
    def author(self) -> str: ...


class Repositories(Protocol):
    """What the planner needs of repositories; raises SourceUnreachable and RevisionNotFound."""

    async def resolve(self, repository: str, revision: str | None, ref: str | None) -> Commit: ...

    async def read_file(self, repository: str, revision: str, path: str, ref: str | None) -> bytes | None: ...

    async def list_files(
        self, repository: str, revision: str, ref: str | None, file: str, folder: str
    ) -> tuple[str, ...]: ...

    async def changed(
        self, repository: str, revision: str, before: str | None, base: str | None
    ) -> tuple[str, ...] | None: ...


class Planner:
    """Claims planning runs and gives them their jobs, or ends them with a reason; a few at a time."""

    def __init__(self, store: Store, bus: Bus, repositories: Repositories, key: SealingKey) -> None:
        """`key` opens what people gave for parameters."""
        self._store = store
        self._key = key
        self._bus = bus
        self._repositories = repositories
        self._asked = asyncio.Event()
        self._busy: dict[asyncio.Task[None], int] = {}  # each with its run

    async def run(self) -> None:
        """Plan until cancelled."""
        unsubscribe = self._bus.subscribe(PLANNING, lambda _note: self._asked.set())
        try:
            while True:
                try:
                    if self._busy:
                        await self._store.write(renew_claims, list(self._busy.values()), CLAIM_MS)
                    await self._claim()
                except Exception as error:
                    _log.error("planning runs could not be claimed; trying again", error=str(error))
                with suppress(TimeoutError):
                    # wait_for would swallow a cancellation that comes together with what it waits for.
                    async with asyncio.timeout(SLOW_S):
                        await self._asked.wait()
                self._asked.clear()
        finally:
            unsubscribe()
            runs = list(self._busy.values())
            for task in self._busy:
                task.cancel()
            await self._store.write(release_claims, runs)

    async def _claim(self) -> None:
        room = AT_ONCE - len(self._busy)
        if room <= 0:
            return
        for work in await self._store.write(claim_planning, CLAIM_MS, room):
            task = asyncio.create_task(self._plan(work))
            self._busy[task] = work.run_id
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        run = self._busy.pop(task)
        self._asked.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error(
                "a run could not be planned; its claim runs out, then it is tried again",
                run=run,
                exc_info=error,
            )

    async def _plan(self, work: PlanningWork) -> None:
        try:
            await self._read_and_plan(work)
        except SourceUnreachable as error:
            await self._end(work, "fail", Reason.SOURCE_UNREACHABLE, str(error))
        except RevisionNotFound as error:
            await self._end(work, "fail", Reason.REVISION_MISSING, str(error))
        except (PlanInvalid, Invalid) as error:
            await self._end(work, "fail", Reason.PLAN_INVALID, str(error))
        except Exception as error:
            _log.exception("a run could not be planned", run=work.run_id)
            await self._end(work, "fail", Reason.SETUP_FAILED, f"the server failed to plan it: {error!r}")
        finally:
            wake_run(self._bus, work.run_id)

    async def _read_and_plan(self, work: PlanningWork) -> None:
        commit = await self._repositories.resolve(work.repository, work.revision, work.ref)
        await self._find_plans(work, commit)
        if work.path is None:
            definition, file = work.definition or "", f"plan {work.plan_id}"
        else:
            body = await self._repositories.read_file(work.repository, commit.revision, work.path, commit.ref)
            if body is None:
                shown = without_password(work.repository)
                detail = f"there is no {work.path} at {commit.revision[:12]} in {shown}"
                await self._end(work, "skip", Reason.PLAN_MISSING, detail)
                return
            definition, file = body.decode(errors="replace"), work.path
        plan = read_plan(definition, file)
        await self._follow_schedule(work, plan.on, commit.branch)
        if work.event is not None:
            event = await self._with_paths(work, plan.on, work.event, commit.revision)
            why = why_not(plan.on, event)
            if why is not None:
                await self._end(work, "skip", Reason.FILTERED, why)
                return
        try:
            values = await self._values(work, plan)
        except Invalid as error:
            await self._end(work, "fail", Reason.PARAMETERS_INVALID, str(error))
            return
        resolved = Resolved(commit.revision, commit.ref, commit.branch, commit.title, commit.author)
        if await self._store.write(plan_run, work, definition, plan, resolved, values):
            self._bus.publish(QUEUE)
            if work.path is not None:
                await follow_default_branch(
                    self._store, self._repositories.resolve, work.repository, work.run_id
                )

    async def _find_plans(self, work: PlanningWork, commit: Commit) -> None:
        """Make the plans, each with a run, of plan files that came to a repository whose plans were found in it."""
        if not work.found or work.event is None or work.event.from_fork:
            return
        listed = await self._repositories.list_files(
            work.repository, commit.revision, commit.ref, REPOSITORY_PLAN, PLANS_FOLDER
        )
        runs = await self._store.write(find_plans, work.run_id, plan_files(listed), work.event)
        for run in runs:
            wake_run(self._bus, run)
        if runs:
            self._asked.set()

    async def _follow_schedule(self, work: PlanningWork, on: On | None, branch: str | None) -> None:
        """What the plan says on the repository's default branch of times at which it runs is what holds."""
        event = work.event
        if work.path is None or event is None or event.from_fork or event.kind not in _MOVES:
            return
        if not (on is not None and on.schedule) and not await self._store.read(scheduled, work.plan_id):
            return
        default = (
            event.default_branch or (await self._repositories.resolve(work.repository, None, None)).branch
        )
        if (event.branch or branch) == default:
            await self._store.write(follow_schedule, work.plan_id, on)

    async def _values(self, work: PlanningWork, plan: Plan) -> Values:
        """What the run has for the plan's parameters; raises Invalid."""
        if not work.asked:
            return Values({**defaults(plan.parameters), **work.variables}, tuple(plan.parameters))
        sealed = await self._store.read(run_secrets, work.run_id)
        check_names(plan.parameters, sealed)
        given = {name: self._key.open(one.value, one.row) for name, one in sealed.items()}
        return resolve(plan.parameters, {**work.variables, **given}, asked=True)

    async def _with_paths(self, work: PlanningWork, on: On | None, event: Event, revision: str) -> Event:
        """The event with the paths that it touched, where the plan asks for them, the sender did not say, and git knows."""
        if not lacks_paths(on, event):
            return event
        changed = await self._repositories.changed(work.repository, revision, event.before, event.base)
        return event.model_copy(update={"changed": changed})

    async def _end(self, work: PlanningWork, verb: str, reason: Reason, detail: str) -> None:
        await self._store.write(end_planning, work.run_id, verb, reason.value, detail)
