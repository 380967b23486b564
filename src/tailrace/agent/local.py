"""A run without a server: a plan's jobs carried by runners of this machine, their output shown as it comes."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tailrace.agent.attempt import Attempt
from tailrace.agent.local_jobs import JobEnd, LocalJobs, LocalWork, who_failed
from tailrace.agent.runners import now_ms
from tailrace.agent.wake import wakes
from tailrace.domain.errors import Conflict
from tailrace.domain.facts import Finished
from tailrace.domain.lease import Lease
from tailrace.domain.outcome import Outcome
from tailrace.domain.plan import JobSpec
from tailrace.domain.spans import Span, spans_within
from tailrace.domain.states import AttemptState, JobState
from tailrace.domain.wire import MAX_CHUNK_BYTES, MAX_CHUNK_SPANS
from tailrace.runner.command import send_abort
from tailrace.runner.folder import AttemptFolder
from tailrace.runner.recover import finish_dead
from tailrace.runner.shelf import Shelf
from tailrace.runner.trees import Undeletable, remove_tree
from tailrace.runner.warm import RunnerNotStarted, WarmParent

LOOK_S = 0.5
"""How often an attempt is looked at without a wake: the price of a lost datagram, and of a runner that died."""
END_S = 0.01
"""How often a runner that has said its last word is looked at: it is removing its workspace."""
FREE_BYTES = 64 << 20
"""What was shown and takes so much of the disk is given back to it."""


class Viewer(Protocol):
    """Sees a local run. Attempts come by their lease; what these raise ends the run."""

    def begin(self, lease: Lease) -> None:
        """An attempt begins; its log's pieces will come."""

    def take(self, lease: Lease, offset: int, spans: list[Span], data: bytes) -> None:
        """Bytes of its log from `offset` on, each once and in order; `spans` cover them."""

    def end(self, lease: Lease) -> None:
        """All of its log came."""

    def notice(self, text: str) -> None:
        """Something that no log says."""


class LocalRun:
    """One run of `work` in `folder`, which is its alone; at most `places` jobs at once."""

    def __init__(self, folder: Path, work: LocalWork, warm: WarmParent, viewer: Viewer, places: int) -> None:
        self._folder = folder
        self._jobs = LocalJobs(work)
        self._secrets = work.secrets
        self._warm = warm
        self._viewer = viewer
        self._places = asyncio.Semaphore(places)
        self._begun: dict[asyncio.Task[JobEnd], str] = {}
        self._held: dict[str, _Held] = {}
        self._attempts = 0
        self.artifacts = folder / "artifacts"
        """What the jobs kept, in a folder for each."""
        self.artifacts.mkdir()
        self._aborted_by: str | None = None
        self._stops: dict[str, asyncio.Event] = {}
        self._failed_by: dict[str, str] = {}
        self._aborts = 0
        self._grace_s: float | None = None
        self._orders: set[asyncio.Task[None]] = set()

    @property
    def aborted(self) -> bool:
        """Whether somebody has ended the run."""
        return self._aborted_by is not None

    async def run(self) -> dict[str, JobEnd]:
        """Every job's end, in the plan's order, once nothing of them is alive any more."""
        with wakes(self._folder, self._woken, self._stalled):
            try:
                self._begin()
                while self._begun:
                    ended, _ = await asyncio.wait(self._begun, return_when=asyncio.FIRST_COMPLETED)
                    for task in ended:
                        self._end(self._begun.pop(task), task.result())
                    self._begin()
            finally:
                for task in (*self._begun, *self._orders):
                    task.cancel()
                await asyncio.gather(*self._begun, *self._orders, return_exceptions=True)
                await self._leave_nobody()
        return self._jobs.ends

    def abort(self, by: str, grace_s: float | None = None) -> None:
        """End what runs, with no more than this grace (seconds), and begin no other job; the steps of `finally` come after it.

        Once more ends these too, and so does a grace: then they have no more than a moment.
        """
        self._aborted_by = self._aborted_by or by
        for stop in self._stops.values():
            stop.set()
        self._aborts += 1
        self._grace_s = grace_s
        self._jobs.abort(by)
        for held in self._held.values():
            self._order(held, by)

    def _begin(self) -> None:
        for job in self._jobs.advance():
            self._stops[job.name] = asyncio.Event()
            self._begun[asyncio.create_task(self._do(job))] = job.name

    def _end(self, name: str, end: JobEnd) -> None:
        for other in self._jobs.end(name, end):
            self._failed_by.setdefault(other, who_failed(name))
            self._stops[other].set()
            for held in self._held.values():
                if held.attempt.lease.job.name == other:
                    self._order(held, self._failed_by[other])

    def _ended_by(self, job: JobSpec) -> str | None:
        """Who wants that the job ends."""
        return self._aborted_by or self._failed_by.get(job.name)

    async def _do(self, job: JobSpec) -> JobEnd:
        """Attempts at the job, until one passes or its plan wants no more of them."""
        async with self._places:
            began = asyncio.get_running_loop().time()
            number = 1
            while self._ended_by(job) is None:
                finished = await self._attempt(job, number)
                outcome = finished.outcome
                if outcome.state is not AttemptState.FAILED or not _wants_another(job, number, outcome):
                    took_s = asyncio.get_running_loop().time() - began
                    state = JobState(outcome.state.value)
                    return JobEnd(
                        state, outcome.detail, outcome.exit_code, took_s, finished.outputs, job.allow_failure
                    )
                number += 1
                if job.retry is not None and job.retry.delay_s:
                    self._viewer.notice(f"{job.name}: attempt {number} follows in {job.retry.delay_s} s")
                    with suppress(TimeoutError):
                        async with asyncio.timeout(job.retry.delay_s):
                            await self._stops[job.name].wait()
            return JobEnd(JobState.ABORTED, f"aborted by {self._ended_by(job)} before it began")

    async def _attempt(self, job: JobSpec, number: int) -> Finished:
        self._attempts += 1
        if number > 1:
            await asyncio.to_thread(remove_tree, Shelf(self.artifacts, job.name).path)
        lease = self._jobs.lease(job, self._attempts, number, os.urandom(16).hex())
        folder = AttemptFolder.create(self._folder / "attempts", lease)
        held = _Held(folder, Attempt(lease, folder))
        self._held[lease.folder] = held
        self._viewer.begin(lease)
        secrets = {name: self._secrets[name] for name in job.secrets if name in self._secrets}
        try:
            await self._warm.start(folder, secrets)
        except (RunnerNotStarted, OSError) as error:
            with suppress(OSError), folder.errors.open("a", encoding="utf-8") as file:
                file.write(f"{error}\n")  # it becomes the outcome's detail
        ended_by = self._ended_by(job)
        if ended_by is not None:
            self._order(held, ended_by)
        finished = await self._watch(held)
        self._viewer.end(lease)
        held.attempt.close()
        try:
            await asyncio.to_thread(folder.remove)
        except Undeletable as error:
            self._viewer.notice(str(error))
        del self._held[lease.folder]
        return finished

    async def _watch(self, held: _Held) -> Finished:
        """Show what the runner writes until it is gone; its last fact."""
        attempt = held.attempt
        while True:
            held.woken.clear()
            alive = attempt.alive  # before the look: a runner's last word is then seen
            attempt.look()
            await self._show(held)
            if not alive:
                if attempt.finished is not None:
                    return attempt.finished
                with suppress(Conflict):  # it lives after all
                    await asyncio.to_thread(finish_dead, held.folder, now_ms())
                continue
            if attempt.finished is not None:
                await asyncio.sleep(END_S)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await held.woken.wait()

    async def _show(self, held: _Held) -> None:
        attempt = held.attempt
        while held.shown < attempt.size():
            spans, data = attempt.read(held.shown, MAX_CHUNK_BYTES, MAX_CHUNK_SPANS)
            if not data:
                return
            stop = held.shown + len(data)
            covering = spans_within([*held.last, *spans], held.shown, stop)
            self._viewer.take(attempt.lease, held.shown, covering, data)
            held.shown, held.last = stop, covering[-1:]
            if attempt.freeable and held.shown - attempt.freed > FREE_BYTES:
                await asyncio.to_thread(attempt.free, held.shown)
            await asyncio.sleep(0)  # the others, and Ctrl-C

    async def _leave_nobody(self) -> None:
        """After an error of ours: end what still runs."""
        while any(held.folder.is_alive() for held in self._held.values()):
            for held in self._held.values():
                await send_abort(held.folder, "the end of tailrace exec", 0)
            await asyncio.sleep(END_S)

    async def _tell(self, held: _Held, by: str, grace_s: float | None, times: int) -> None:
        """Have the runner end its attempt as soon as it listens, unless it ends before."""
        while held.attempt.finished is None and held.folder.is_alive():
            with suppress(OSError):
                if await send_abort(held.folder, by, grace_s, times):
                    return
            await asyncio.sleep(END_S)

    def _order(self, held: _Held, by: str) -> None:
        order = asyncio.create_task(self._tell(held, by, self._grace_s, max(self._aborts, 1)))
        self._orders.add(order)
        order.add_done_callback(self._orders.discard)

    def _woken(self, names: set[str]) -> None:
        for name in names & self._held.keys():
            self._held[name].woken.set()

    def _stalled(self, name: str, why: str | None) -> None:
        held = self._held.get(name)
        if held is not None and held.stalled != why:
            held.stalled = why
            job = held.attempt.lease.job.name
            self._viewer.notice(f"{job}: its output stands still: {why}" if why else f"{job}: it goes on")


@dataclass
class _Held:
    """An attempt that runs; of its log `shown` bytes were shown, the last of them in the span `last`."""

    folder: AttemptFolder
    attempt: Attempt
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    shown: int = 0
    last: list[Span] = field(default_factory=list[Span])
    stalled: str | None = None


def _wants_another(job: JobSpec, number: int, outcome: Outcome) -> bool:
    return job.retry is not None and number <= job.retry.max and outcome.reason in job.retry.on
