"""The jobs of a local run: which may begin, which never will, and what each gets of those that it needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from tailrace.agent.snapshot import Sources
from tailrace.domain.events import EventKind
from tailrace.domain.lease import Lease, Need
from tailrace.domain.plan import JobSpec, needed_values
from tailrace.domain.plan.turns import resolve_group
from tailrace.domain.progress import UNDER_WAY, JobProgress, progress, with_room
from tailrace.domain.references import Lookup
from tailrace.domain.states import JobState
from tailrace.domain.values import RunValues

EVENT = EventKind.MANUAL.value
"""What a local run came from: a person."""
GRACE_S = 2.0
"""The time between SIGTERM and SIGKILL: somebody waits for it."""


@dataclass(frozen=True)
class LocalWork:
    """What is run: `jobs` by name, in the plan's order; each only with those that it needs, if these are among them."""

    jobs: Mapping[str, JobSpec]
    project: str
    plan: str
    sources: Sources
    variables: Mapping[str, str]
    secrets: Mapping[str, str] = field(repr=False)


class JobEnd(NamedTuple):
    """How a job ended; `detail` is one sentence for a person, `took_s` is None for a job that did not begin.

    `outputs` is what its last attempt gives to those that need it; `allowed`: that it failed does not count.
    """

    state: JobState
    detail: str | None = None
    exit_code: int | None = None
    took_s: float | None = None
    outputs: Mapping[str, str] = {}
    allowed: bool = False


class LocalJobs:
    """Where each job of `work` stands: decided as a server decides it, kept in memory."""

    def __init__(self, work: LocalWork) -> None:
        self._work = work
        self._states = dict.fromkeys(work.jobs, JobState.WAITING)
        self._ends: dict[str, JobEnd] = {}

    @property
    def ends(self) -> dict[str, JobEnd]:
        """The jobs that have ended, in the plan's order."""
        return {name: self._ends[name] for name in self._work.jobs if name in self._ends}

    def advance(self) -> list[JobSpec]:
        """The jobs that begin now; those that never will end as skipped."""
        found = [
            JobProgress(
                name,
                self._needs(job),
                self._states[name],
                job.condition,
                self._matrices(job),
                job.allow_failure,
                job.matrix_of,
                job.max_parallel,
            )
            for name, job in self._work.jobs.items()
        ]
        moves = progress(found, self._values)
        for name, _, detail in moves.skipped:
            self.end(name, JobEnd(JobState.SKIPPED, detail))
        ready = with_room(found, self._in_turn(moves.ready))
        for name in ready:
            self._states[name] = JobState.PENDING
        return [self._work.jobs[name] for name in ready]

    def end(self, name: str, end: JobEnd) -> tuple[str, ...]:
        """A job has ended; the jobs under way that have to end because it failed. Those of them that waited have ended."""
        self._states[name] = end.state
        self._ends[name] = end
        job = self._work.jobs[name]
        if end.state is not JobState.FAILED or not job.fail_fast or job.allow_failure:
            return ()
        others = [one.name for one in self._work.jobs.values() if one.matrix_of == job.matrix_of]
        for other in others:
            if self._states[other] is JobState.WAITING:
                self.end(other, JobEnd(JobState.ABORTED, f"aborted by {who_failed(name)}"))
        return tuple(other for other in others if self._states[other] in UNDER_WAY)

    def abort(self, by: str) -> None:
        """End what waits for others, whatever its condition."""
        for name, state in self._states.items():
            if state is JobState.WAITING:
                self.end(name, JobEnd(JobState.ABORTED, f"aborted by {by}"))

    def lease(self, job: JobSpec, attempt: int, number: int, cookie: str) -> Lease:
        """What a runner gets for the `number`-th attempt at the job, the run's `attempt`-th."""
        work = self._work
        needed = needed_values(job)
        return Lease(
            attempt=attempt,
            number=number,
            cookie=cookie,
            log=attempt,
            run=0,
            run_number=0,
            project=work.project,
            plan=work.plan,
            repository=work.sources.repository,
            revision=work.sources.revision,
            ref=work.sources.ref,
            branch=work.sources.branch,
            event=EVENT,
            job=job,
            variables=dict(work.variables),
            needs={
                name: need.only(needed[name]) for name, need in self._given(job).items() if name in needed
            },
            grace_s=GRACE_S,
        )

    def _in_turn(self, ready: Iterable[str]) -> list[str]:
        """Those of which no other of their concurrency group is under way."""
        taken = {self._group(name) for name, state in self._states.items() if state in UNDER_WAY}
        begin: list[str] = []
        for name in ready:
            group = self._group(name)
            if group is None or group not in taken:
                taken.add(group)
                begin.append(name)
        return begin

    def _group(self, name: str) -> str | None:
        group = self._work.jobs[name].concurrency
        values = {key: value or "" for key, value in self._own().items()}
        return None if group is None else resolve_group(group.group, values)

    def _needs(self, job: JobSpec) -> tuple[str, ...]:
        return tuple(need for need in job.needs if need in self._work.jobs)

    def _matrices(self, job: JobSpec) -> dict[str, tuple[str, ...]]:
        """Those that it needs, as far as their jobs are run."""
        found = {
            name: tuple(one for one in jobs if one in self._work.jobs) for name, jobs in job.matrices.items()
        }
        return {name: jobs for name, jobs in found.items() if jobs}

    def _given(self, job: JobSpec) -> dict[str, Need]:
        return {
            name: Need(outcome=end.state.value, outputs=dict(end.outputs))
            for name in self._needs(job)
            if (end := self._ends.get(name)) is not None
        }

    def _values(self, name: str) -> Lookup:
        """What the names in a job's condition stand for, but for the outcomes of jobs."""
        job = self._work.jobs[name]
        variables = {**job.variables, **self._work.variables}
        return RunValues(self._own(), variables, self._given(job), job.matrix, self._matrices(job)).value

    def _own(self) -> dict[str, str | None]:
        work = self._work
        return {
            "branch": work.sources.branch,
            "event": EVENT,
            "plan": work.plan,
            "project": work.project,
            "ref": work.sources.ref,
            "revision": work.sources.revision,
        }


def who_failed(name: str) -> str:
    """On whose word the others of its matrix end."""
    return f"job {name}, which failed"
