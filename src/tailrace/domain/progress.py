"""How the jobs of a run move each other on: pure decisions, acted upon in the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tailrace.domain.conditions import parse_condition
from tailrace.domain.matrix import together
from tailrace.domain.outcome import Reason
from tailrace.domain.references import Lookup, Reference
from tailrace.domain.states import JOB_ENDED, JobState

UNDER_WAY = (JobState.PENDING, JobState.RUNNING)


@dataclass(frozen=True)
class JobProgress:
    """What progress needs to know of a job; `condition` is its `if`, the others are as in its spec."""

    name: str
    needs: tuple[str, ...]
    state: JobState
    condition: str = ""
    matrices: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    allow_failure: bool = False
    matrix_of: str = ""
    max_parallel: int | None = None


class Skipped(NamedTuple):
    """A job that never begins, and why; `detail` is one sentence for a person."""

    name: str
    reason: Reason
    detail: str


@dataclass(frozen=True)
class Moves:
    """Jobs that may begin now, and jobs that never will: `skip` each with the name of the need that did not pass, `unmet` each
    with its condition, which does not hold."""

    ready: tuple[str, ...]
    skip: tuple[tuple[str, str], ...]
    unmet: tuple[tuple[str, str], ...] = ()

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """All that never will, in the same words wherever the run is."""
        needs = (
            Skipped(name, Reason.NEEDS_FAILED, f"it needs job {need}, which did not pass")
            for name, need in self.skip
        )
        conditions = (
            Skipped(name, Reason.CONDITION_NOT_MET, f"its condition does not hold: {condition}")
            for name, condition in self.unmet
        )
        return (*needs, *conditions)


def _nothing(_name: str) -> Lookup:
    return lambda _reference: ""


def progress(jobs: Sequence[JobProgress], values: Callable[[str], Lookup] = _nothing) -> Moves:
    """The moves of waiting jobs; a skipped job skips those that need it in the same answer.

    `values` gives what the names in a job's condition stand for, but for the outcomes of jobs.
    """
    return _Decision(jobs, values).moves()


def with_room(jobs: Sequence[JobProgress], ready: Iterable[str]) -> tuple[str, ...]:
    """Those of `ready` that the `max_parallel` of their matrix lets begin now, in the order in which they come."""
    known = {job.name: job for job in jobs}
    under_way = Counter(job.matrix_of for job in jobs if job.state in UNDER_WAY)
    begin: list[str] = []
    for name in ready:
        job = known[name]
        if job.max_parallel is None or under_way[job.matrix_of] < job.max_parallel:
            under_way[job.matrix_of] += 1
            begin.append(name)
    return tuple(begin)


class _Decision:
    def __init__(self, jobs: Sequence[JobProgress], values: Callable[[str], Lookup]) -> None:
        self._jobs = jobs
        self._values = values
        self._needs = {job.name: job.needs for job in jobs}
        self._states = {job.name: job.state for job in jobs}
        self._allowed = {job.name for job in jobs if job.allow_failure}
        self._ready: list[str] = []
        self._skip: list[tuple[str, str]] = []
        self._unmet: list[tuple[str, str]] = []

    def moves(self) -> Moves:
        while sum(self._decide(job) for job in self._jobs if self._undecided(job)):
            pass  # what one decision skips may decide another
        decided = {name: position for position, name in enumerate(self._states)}
        return Moves(
            tuple(sorted(self._ready, key=decided.__getitem__)), tuple(self._skip), tuple(self._unmet)
        )

    def _undecided(self, job: JobProgress) -> bool:
        return self._states[job.name] is JobState.WAITING and job.name not in self._ready

    def _decide(self, job: JobProgress) -> bool:
        """Decide what can be; returns whether anything was."""
        condition = parse_condition(job.condition)
        needed = [self._states[need] for need in job.needs]
        if condition.wants_success:
            broken = next((need for need in job.needs if _broken(self._counted(need))), None)
            if broken is not None:  # nothing that happens later can mend it
                self._states[job.name] = JobState.SKIPPED
                self._skip.append((job.name, broken))
                return True
        if any(state not in JOB_ENDED for state in needed):
            return False
        lookup = self._lookup(job)
        if condition.holds(self._status(job), lookup):
            self._ready.append(job.name)
        else:
            self._states[job.name] = JobState.SKIPPED
            self._unmet.append((job.name, condition.explain(lookup)))
        return True

    def _status(self, job: JobProgress) -> set[str]:
        status: set[str] = set()
        if all(self._counted(need) is JobState.PASSED for need in job.needs):
            status.add("success")
        if any(self._went(need, JobState.FAILED) for need in job.needs):
            status.add("failure")
        if any(self._went(need, JobState.ABORTED) for need in job.needs):
            status.add("aborted")
        return status

    def _went(self, name: str, state: JobState) -> bool:
        """Whether a job ended so, or was skipped and needs one that did."""
        seen, look = {name}, [name]
        while look:
            one = look.pop()
            if self._counted(one) is state:
                return True
            if self._states[one] is JobState.SKIPPED:
                look += [need for need in self._needs[one] if need not in seen]
                seen |= set(self._needs[one])
        return False

    def _counted(self, name: str) -> JobState:
        return counted(self._states[name], allow_failure=name in self._allowed)

    def _lookup(self, job: JobProgress) -> Lookup:
        values: list[Lookup] = []

        def value(reference: Reference) -> str:
            match reference:
                case ("needs", need, "outcome") if need in job.matrices:
                    return together(self._states[one].value for one in job.matrices[need])
                case ("needs", need, "outcome"):
                    return self._states[need].value if need in self._states else ""
                case _:
                    if not values:
                        values.append(self._values(job.name))
                    return values[0](reference)

        return value


def counted(state: JobState, *, allow_failure: bool) -> JobState:
    """What a job's state is to those that need it, and to its run: a failure that is allowed is as good as a pass."""
    return JobState.PASSED if allow_failure and state is JobState.FAILED else state


def _broken(state: JobState) -> bool:
    return state in JOB_ENDED and state is not JobState.PASSED
