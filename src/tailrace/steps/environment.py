"""The environment of a job's processes: small, and the same whoever started the agent."""

from __future__ import annotations

from collections.abc import Mapping

from tailrace.domain.branches import names_of
from tailrace.domain.lease import Lease
from tailrace.domain.matrix import variable_of
from tailrace.steps.command import Machine, Place

COOKIE = "TAILRACE_COOKIE"
OUTPUT = "TAILRACE_OUTPUT"


def environment(
    lease: Lease,
    place: Place,
    machine: Machine,
    revision: str | None,
    secrets: Mapping[str, str],
    own: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """All variables of a step's processes; nothing else of the agent's environment reaches them.

    `revision` is what was checked out, which a lease without a revision does not know. `own` is the step's `env`. The run's
    variables win over the job's, secrets over both, and the step's own over all of these; none can replace a `TAILRACE_`
    variable, because the cookie is how an attempt's processes are found and ended.
    """
    names = names_of(lease.ref, lease.branch, lease.from_fork)
    return {
        "PATH": machine.path,
        "HOME": machine.home,
        "USER": machine.user,
        "LANG": "C.UTF-8",
        "TMPDIR": str(place.tmp),
        "CI": "true",
        **lease.job.variables,
        **lease.variables,
        **secrets,
        **(own or {}),
        "TAILRACE": "true",
        "TAILRACE_RUN_ID": str(lease.run),
        "TAILRACE_RUN_NUMBER": str(lease.run_number),
        "TAILRACE_PROJECT": lease.project,
        "TAILRACE_PLAN": lease.plan,
        "TAILRACE_JOB": lease.job.name,
        "TAILRACE_ATTEMPT": str(lease.number),
        "TAILRACE_REVISION": revision or "",
        "TAILRACE_REF": lease.ref or "",
        "TAILRACE_BRANCH": names.branch,
        "TAILRACE_TAG": names.tag,
        "TAILRACE_HEAD": names.head,
        "TAILRACE_EVENT": lease.event,
        "TAILRACE_WORKSPACE": str(place.workspace),
        **{variable_of(name): value for name, value in lease.job.matrix.items()},
        COOKIE: lease.cookie,
    }
