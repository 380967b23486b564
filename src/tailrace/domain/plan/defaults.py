"""`defaults` of a plan: what each job has that says nothing else."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as AnyMapping
from dataclasses import replace

from tailrace.domain.plan.checkout import read_checkout
from tailrace.domain.plan.errors import Problems
from tailrace.domain.plan.jobs import read_labels, read_seconds
from tailrace.domain.plan.keys import DEFAULTS_KEYS, known_entries
from tailrace.domain.plan.nodes import Entry, Mapping, describe
from tailrace.domain.plan.shells import read_working_directory
from tailrace.domain.plan.turns import read_retry

_Defaults = AnyMapping[str, Entry]


def read_defaults(entry: Entry | None, problems: Problems) -> dict[str, Entry]:
    """The keys that jobs get, those that are right: what is wrong is told once, and not for each job."""
    if entry is None:
        return {}
    what = '"defaults" of the plan'
    if not isinstance(entry.value, Mapping):
        problems.add(
            entry.value.place, f"{what} must be a mapping of keys of jobs; found {describe(entry.value)}"
        )
        return {}
    found = known_entries(entry.value, DEFAULTS_KEYS, what, problems)
    right: dict[str, Entry] = {}
    for key, one in found.items():
        before = len(problems)
        _READERS[key]({key: one}, problems)
        if len(problems) == before:
            right[key] = one
    return right


def with_defaults(jobs: Entry, defaults: _Defaults) -> Entry:
    """The plan's `jobs`, each with the keys that it lacks."""
    if not defaults or not isinstance(jobs.value, Mapping):
        return jobs
    return replace(
        jobs, value=replace(jobs.value, entries=tuple(_filled(one, defaults) for one in jobs.value.entries))
    )


def _filled(job: Entry, defaults: _Defaults) -> Entry:
    if not isinstance(job.value, Mapping):
        return job
    own = {one.key for one in job.value.entries}
    more = tuple(one for key, one in defaults.items() if key not in own)
    return replace(job, value=replace(job.value, entries=(*job.value.entries, *more)))


_SUBJECT = '"defaults"'


def _seconds(key: str) -> Callable[[_Defaults, Problems], object]:
    return lambda entries, problems: read_seconds(entries, key, _SUBJECT, problems)


_READERS: AnyMapping[str, Callable[[_Defaults, Problems], object]] = {
    "checkout": lambda entries, problems: read_checkout(entries["checkout"], _SUBJECT, problems),
    "labels": lambda entries, problems: read_labels(entries, _SUBJECT, problems),
    "retry": lambda entries, problems: read_retry(entries["retry"], _SUBJECT, problems),
    "working_directory": lambda entries, problems: read_working_directory(
        entries["working_directory"], _SUBJECT, problems
    ),
    **{key: _seconds(key) for key in ("idle_timeout", "start_timeout", "timeout")},
}
