"""Whether a run's jobs are known at once, and which they are."""

from __future__ import annotations

import re
from functools import lru_cache

from tailrace.domain.events import Event, EventKind
from tailrace.domain.filters import lacks_paths
from tailrace.domain.plan import Plan, parse_plan
from tailrace.store.plans import PlanSource

_FULL_REVISION = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@lru_cache(maxsize=256)
def read_plan(definition: str, file: str) -> Plan:
    """A plan file; raises PlanInvalid."""
    return parse_plan(definition, file)


def planned_at_once(source: PlanSource, revision: str | None, event: Event | None = None) -> Plan | None:
    """A plan that is kept here, unless its commit, or the paths or the message that `event` lacks, are still to be found."""
    if source.definition is None:
        return None
    plan = read_plan(source.definition, f"plan {source.plan_id}")
    if any(job.checkout for job in plan.jobs.values()) and not (
        revision and _FULL_REVISION.fullmatch(revision)
    ):
        return None
    return (
        None if event is not None and (lacks_paths(plan.on, event) or _lacks_message(plan, event)) else plan
    )


def _lacks_message(plan: Plan, event: Event) -> bool:
    """Whether the commit's message, which may say that it is to be skipped, has to be looked up; not only for that."""
    wanted = event.kind is EventKind.PULL_REQUEST and event.message is None
    return wanted and any(job.checkout for job in plan.jobs.values())
