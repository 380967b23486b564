"""How the jobs of a run move each other on: pure decisions, acted upon in the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tailrace.domain.states import JOB_ENDED, JobState


@dataclass(frozen=True)
class JobProgress:
    """What progress needs to know of a job."""

    name: str
    needs: tuple[str, ...]
    state: JobState


@dataclass(frozen=True)
class Moves:
    """Jobs that may begin now, and jobs that never will, each with the name of the need that did not pass."""

    ready: tuple[str, ...]
    skip: tuple[tuple[str, str], ...]


def progress(jobs: Sequence[JobProgress]) -> Moves:
    """The moves of waiting jobs; a skipped job skips those that need it in the same answer."""
    states = {job.name: job.state for job in jobs}
    skipped: dict[str, str] = {}
    moved = True
    while moved:
        moved = False
        for job in jobs:
            if states[job.name] is not JobState.WAITING:
                continue
            broken = next((need for need in job.needs if _broken(states[need])), None)
            if broken is not None:
                skipped[job.name] = broken
                states[job.name] = JobState.SKIPPED
                moved = True
    ready = tuple(
        job.name
        for job in jobs
        if states[job.name] is JobState.WAITING and all(states[need] is JobState.PASSED for need in job.needs)
    )
    return Moves(ready, tuple(skipped.items()))


def _broken(state: JobState) -> bool:
    return state in JOB_ENDED and state is not JobState.PASSED
