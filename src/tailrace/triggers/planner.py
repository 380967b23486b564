"""Reads the plans of runs in state `planning`: from the repository at the run's revision, or from its plan version."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import structlog

from tailrace.domain.address import without_password
from tailrace.domain.credentials import Remote
from tailrace.domain.errors import Invalid, RevisionNotFound, SourceUnreachable
from tailrace.domain.events import MOST_PATHS, Event, EventKind
from tailrace.domain.filters import On, lacks_paths, why_not
from tailrace.domain.outcome import Reason
from tailrace.domain.parameters import Values, check_names, resolve, unasked
from tailrace.domain.plan import Plan, PlanInvalid
from tailrace.domain.slots import Slots
from tailrace.live.bus import Bus
from tailrace.live.scopes import PLANNING, QUEUE, wake_run
from tailrace.store import Store
from tailrace.store.found_plans import PLANS_FOLDER, find_plans, plan_files
from tailrace.store.openers import find_opener
from tailrace.store.planning import (
    PlanningWork,
    Resolved,
    claim_planning,
    end_planning,
    next_postponed_in,
    note_text,
    plan_run,
    postpone,
    release_claims,
    renew_claims,
)
from tailrace.store.planning_order import OlderFirst, wait_behind
from tailrace.store.plans import REPOSITORY_PLAN
from tailrace.store.run_secrets import run_secrets
from tailrace.store.schedules import follow_branch, follow_schedule, scheduled
from tailrace.store.sealing import SealingKey
from tailrace.triggers.again import AWAY, MISSING, WAITS_S, Patience, wait_s
from tailrace.triggers.fire import why_skipped
from tailrace.triggers.in_force import follow_default_branch
from tailrace.triggers.look import Commit, Look, Repositories
from tailrace.triggers.planned import read_plan

CLAIM_MS = 30 * 1000
"""Claims are renewed while the work goes on: those of a server that died are free after this time."""
SLOTS = Slots(24, of_host=8, of_repository=4)
LOOK_S = 60.0
"""How long, in seconds, all that is asked of a repository for one run may take."""
_NEWEST = (EventKind.PUSH, EventKind.CHANGE, EventKind.TICK)
"""Events that have to do with what stands on a branch now."""
SLOW_S = 5.0
LEAST_S = 0.02

_log = structlog.get_logger("planner")


class Planner:
    """Claims planning runs and gives them their jobs, or ends them with a reason; a few at a time.

    A run of an event whose repository cannot be read, or has not got the revision yet, waits in `planning` and says why; it is
    tried again after `waits_s`. A person who wants a run is told at once.
    """

    def __init__(
        self,
        store: Store,
        bus: Bus,
        repositories: Repositories,
        key: SealingKey,
        *,
        slots: Slots = SLOTS,
        look_s: float = LOOK_S,
        waits_s: Sequence[float] = WAITS_S,
    ) -> None:
        """`key` opens what people gave for parameters."""
        self._store = store
        self._key = key
        self._bus = bus
        self._repositories = repositories
        self._slots = slots
        self._look_s = look_s
        self._waits_s = waits_s
        self._by = secrets.token_hex(8)
        self._asked = asyncio.Event()
        self._busy: dict[asyncio.Task[None], PlanningWork] = {}
        self._claiming: asyncio.Future[list[PlanningWork]] | None = None
        self._away: set[str] = set()  # repositories that did not answer the last time

    async def run(self) -> None:
        """Plan until cancelled."""
        unsubscribe = self._bus.subscribe(PLANNING, lambda _note: self._asked.set())
        try:
            while True:
                wait = SLOW_S
                try:
                    if self._busy:
                        await self._store.write(renew_claims, self._by, CLAIM_MS)
                    await self._claim()
                    due = await self._store.read(next_postponed_in)
                    wait = SLOW_S if due is None else min(SLOW_S, max(LEAST_S, due / 1000))
                except Exception as error:
                    _log.error("planning runs could not be claimed; trying again", error=str(error))
                with suppress(TimeoutError):
                    # wait_for would swallow a cancellation that comes together with what it waits for.
                    async with asyncio.timeout(wait):
                        await self._asked.wait()
                self._asked.clear()
        finally:
            unsubscribe()
            busy = list(self._busy)
            for task in busy:
                task.cancel()
            await asyncio.gather(*busy, return_exceptions=True)  # git's processes end with them
            if self._claiming is not None:  # its transaction goes on without us
                await asyncio.wait([self._claiming])
            await self._store.write(release_claims, self._by)

    async def _claim(self) -> None:
        busy = tuple(work.repository for work in self._busy.values())
        slots = replace(self._slots, busy=busy, away=frozenset(self._away))
        if not slots.free:
            return
        self._claiming = asyncio.ensure_future(self._store.write(claim_planning, self._by, CLAIM_MS, slots))
        for work in await asyncio.shield(self._claiming):
            task = asyncio.create_task(self._plan(work))
            self._busy[task] = work
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        run = self._busy.pop(task).run_id
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
            self._away.discard(work.repository)
        except OlderFirst as waits:
            await self._store.write(wait_behind, work.run_id, work.by, waits.older)
        except SourceUnreachable as error:
            self._away.add(work.repository)
            await self._again(work, AWAY, Reason.SOURCE_UNREACHABLE, str(error))
        except RevisionNotFound as error:
            self._away.discard(work.repository)
            await self._again(work, MISSING, Reason.REVISION_MISSING, str(error))
        except (PlanInvalid, Invalid) as error:
            await self._end(work, "fail", Reason.PLAN_INVALID, str(error))
        except Exception as error:
            _log.exception("a run could not be planned", run=work.run_id)
            await self._end(work, "fail", Reason.SETUP_FAILED, f"the server failed to plan it: {error!r}")
        finally:
            wake_run(self._bus, work.run_id)

    async def _again(self, work: PlanningWork, patience: Patience, reason: Reason, why: str) -> None:
        """Try again later; a person who wants the run hears at once, and so does whoever looks when our patience is at its end."""
        troubled_s = work.troubled_ms / 1000
        wait = wait_s(work.tries, troubled_s, patience, self._waits_s)
        if work.event is not None and wait is not None:
            away = reason is Reason.SOURCE_UNREACHABLE
            for run in await self._store.write(postpone, work, why, int(wait * 1000), away=away):
                wake_run(self._bus, run)
            return
        if work.tries:
            why += f"; it was tried {work.tries + 1} times, the first time {troubled_s:.0f} s ago"
        await self._end(work, "fail", reason, why)

    async def _read_and_plan(self, work: PlanningWork) -> None:
        look = Look(self._repositories, await self._remote(work), self._look_s)
        commit = await look.resolve(work.revision, work.ref)
        if work.event is not None and work.event.message is None:
            skipped = why_skipped(work.event, commit.message)
            if skipped is not None:
                await self._end(work, "skip", Reason.FILTERED, skipped)
                return
        await self._find_plans(work, look, commit)
        if work.path is None:
            definition, file = work.definition or "", f"plan {work.plan_id}"
        else:
            body = await look.read_file(commit.revision, work.path, commit.ref)
            if body is None:
                shown = without_password(work.repository)
                await self._follow_schedule(work, look, None, commit)
                detail = f"there is no {work.path} at {commit.revision[:12]} in {shown}"
                await self._end(work, "skip", Reason.PLAN_MISSING, detail)
                return
            definition, file = body.decode(errors="replace"), work.path
        plan = await asyncio.to_thread(read_plan, definition, file)  # a stranger's may take its time
        resolved = Resolved(commit.revision, commit.ref, commit.branch, commit.title, commit.author)
        await self._follow_schedule(work, look, plan.on, commit)
        if work.event is not None:
            event = await self._with_paths(look, plan.on, work.event, commit.revision)
            why = await asyncio.to_thread(why_not, plan.on, event)
            if why is not None:
                if not event.from_fork and await self._store.write(note_text, work, definition, resolved):
                    await follow_default_branch(self._store, look.resolve, work.run_id)
                await self._end(work, "skip", Reason.FILTERED, why)
                return
        try:
            values = await self._values(work, plan)
        except Invalid as error:
            await self._end(work, "fail", Reason.PARAMETERS_INVALID, str(error))
            return
        if await self._store.write(plan_run, work, definition, plan, resolved, values):
            self._bus.publish(QUEUE)
            if work.path is not None:
                await follow_default_branch(self._store, look.resolve, work.run_id)

    async def _remote(self, work: PlanningWork) -> str | Remote:
        """The repository, with what opens it. Raises SourceUnreachable."""
        opener = await self._store.read(find_opener, work.project_id) if work.has_credentials else None
        if opener is None:
            return work.repository
        try:
            return opener.open(self._key, work.repository)
        except Invalid as error:
            raise SourceUnreachable(without_password(work.repository), str(error)) from None

    async def _find_plans(self, work: PlanningWork, look: Look, commit: Commit) -> None:
        """Make the plans, each with a run, of plan files that came to a repository whose plans were found in it."""
        if not work.found or work.event is None or work.event.from_fork:
            return
        listed = await look.list_files(commit.revision, commit.ref, REPOSITORY_PLAN, PLANS_FOLDER)
        runs = await self._store.write(find_plans, work.run_id, plan_files(listed), work.event)
        for run in runs:
            wake_run(self._bus, run)
        if runs:
            self._asked.set()

    async def _follow_schedule(self, work: PlanningWork, look: Look, on: On | None, commit: Commit) -> None:
        """What the plan says on the repository's default branch of times at which it runs is what holds."""
        event = work.event
        if work.path is None or event is None or event.from_fork or event.kind not in _NEWEST:
            return
        if not (on is not None and on.schedule) and not await self._store.read(scheduled, work.plan_id):
            return
        ref, branch = event.ref or commit.ref, event.branch or commit.branch
        if event.branch is None and event.revision is None:
            default = branch  # where nothing is named, it is the default one
        else:
            default = event.default_branch or (await look.resolve(None, None)).branch
        if ref is None or branch != default:
            return
        if event.revision is None:
            # What was read stands there now, whoever has told of it.
            await self._store.write(follow_schedule, work.plan_id, on)
        else:
            await self._store.write(follow_branch, work.plan_id, on, ref, event.revision)

    async def _values(self, work: PlanningWork, plan: Plan) -> Values:
        """What the run has for the plan's parameters; raises Invalid."""
        if not work.asked:
            return unasked(plan.parameters, work.variables)
        sealed = await self._store.read(run_secrets, work.run_id)
        check_names(plan.parameters, sealed)
        given = {name: self._key.open(one.value, one.row) for name, one in sealed.items()}
        return resolve(plan.parameters, {**work.variables, **given}, asked=True)

    async def _with_paths(self, look: Look, on: On | None, event: Event, revision: str) -> Event:
        """The event with the paths that it touched, where the plan asks for them, the sender did not say, and git knows; of more
        than MOST_PATHS none, as those of a poll."""
        if not lacks_paths(on, event):
            return event
        changed = await look.changed(revision, event.before, event.base)
        known = changed is not None and len(changed) <= MOST_PATHS
        return event.model_copy(update={"changed": changed if known else None})

    async def _end(self, work: PlanningWork, verb: str, reason: Reason, detail: str) -> None:
        await self._store.write(end_planning, work.run_id, verb, reason.value, detail, work.by)
