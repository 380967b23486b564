"""Whether a run's jobs are known at once, and which they are."""

from __future__ import annotations

import re
from functools import lru_cache

from tailrace.domain.plan import JobSpec, parse_plan
from tailrace.store.plans import PlanSource

_FULL_REVISION = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@lru_cache(maxsize=256)
def jobs_of(definition: str, file: str) -> tuple[JobSpec, ...]:
    """The jobs of a plan file; raises PlanInvalid."""
    return tuple(parse_plan(definition, file).jobs.values())


def jobs_at_once(source: PlanSource, revision: str | None) -> tuple[JobSpec, ...] | None:
    """The jobs of a plan that is kept here, unless the commit that they check out is still to be found."""
    if source.definition is None:
        return None
    jobs = jobs_of(source.definition, f"plan {source.plan_id}")
    if any(job.checkout for job in jobs) and not (revision and _FULL_REVISION.fullmatch(revision)):
        return None
    return jobs
