"""What is no fault of a plan, and still is hardly meant: jobs that are never executed."""

from __future__ import annotations

from collections.abc import Mapping

from tailrace.domain.conditions import parse_condition
from tailrace.domain.events import EventKind
from tailrace.domain.filters import On
from tailrace.domain.plan.errors import Place, Problems, shown
from tailrace.domain.plan.jobs import ReadJob

_STATUSES = ({"success"}, {"failure"}, {"aborted"})
_ALWAYS_POSSIBLE = (EventKind.MANUAL, EventKind.TICK, EventKind.CHANGE)
"""What triggers of their own may start whatever `on` says."""


def warn_of_unreachable(jobs: Mapping[str, ReadJob], on: On | None, problems: Problems) -> None:
    """Warn of jobs whose condition cannot hold, and of those that wait for such a job to pass."""
    kinds = _kinds(on)
    never: dict[str, str] = {}
    for name, job in jobs.items():
        why = _why_never(job.spec.condition, kinds)
        if why is not None:
            never[name] = why
            problems.warn(job.at, f"job {shown(name)} is never executed: {why}")
    found = set(never)
    while found:
        found = {name for name, job in jobs.items() if name not in never and _waits_for(job, found)}
        for name in found:
            needed = next(need for need in jobs[name].needs if need in never)
            never[name] = f"it needs job {shown(needed)}, which is never executed"
            problems.warn(
                _place_of(jobs[name], needed), f"job {shown(name)} is never executed: {never[name]}"
            )


def _place_of(job: ReadJob, needed: str) -> Place:
    return job.needs[needed]


def _waits_for(job: ReadJob, never: set[str]) -> bool:
    return parse_condition(job.spec.condition).wants_success and any(need in never for need in job.needs)


def _why_never(condition: str, kinds: tuple[str, ...]) -> str | None:
    """Why a condition never holds, as far as that can be told without a run."""
    read = parse_condition(condition)
    if set(read.references) - {("event",)}:
        return None
    if any(read.holds(status, lambda _name, kind=kind: kind) for kind in kinds for status in _STATUSES):
        return None
    if read.references:
        return f"its `if` holds for none of the events that start runs of the plan: {', '.join(kinds)}"
    return "its `if` never holds"


def _kinds(on: On | None) -> tuple[str, ...]:
    if on is None:
        return tuple(kind.value for kind in EventKind if kind is not EventKind.PING)
    named = [EventKind(word) for word in ("push", "tag", "pull_request", "workflow") if getattr(on, word)]
    return tuple(kind.value for kind in (*named, *_ALWAYS_POSSIBLE))
