"""The key `log`: how long a log may become."""

from __future__ import annotations

import pytest

from tailrace.domain.plan import JobSpec, PlanInvalid, parse_plan
from tailrace.domain.plan.model import LogSpec

JOBS = "jobs:\n  a:\n    steps: [run: make]\n"


def job(text: str) -> JobSpec:
    return parse_plan(text).jobs["a"]


def faults(text: str) -> list[str]:
    with pytest.raises(PlanInvalid) as caught:
        parse_plan(text, "p")
    return str(caught.value).splitlines()


def test_a_log_may_have_a_gibibyte_and_fails_its_job_then() -> None:
    """The default."""
    assert job(JOBS).log == LogSpec(limit=1 << 30, when_full="fail")


def test_a_job_leaves_to_the_plan_what_it_does_not_say() -> None:
    """Key by key."""
    plan = "log: {limit: 5MiB, when_full: drop}\n"
    assert job(plan + JOBS).log == LogSpec(limit=5 << 20, when_full="drop")
    own = JOBS + "    log: {limit: 4096}\n"
    assert job(plan + own).log == LogSpec(limit=4096, when_full="drop")
    assert job(plan + JOBS + "    log: {when_full: fail}\n").log == LogSpec(limit=5 << 20, when_full="fail")


def test_what_is_no_limit_is_refused_with_what_is_allowed() -> None:
    """With its place."""
    text = JOBS + "    log: {limit: 1GB, when_full: stop, size: 3}\n"
    assert faults(text) == [
        'p:4:18: "limit" in "log" of job "a" must be a size; found "1GB"; allowed: whole bytes, or KiB, MiB or GiB'
        " such as 512KiB, 100MiB or 1GiB",
        'p:4:34: "when_full" in "log" of job "a" must be fail (the job ends) or drop (it goes on, and what follows is'
        ' not kept); found "stop"',
        'p:4:40: unknown key "size" in "log" of job "a"; allowed here: limit, when_full',
    ]
    for limit in ("0", "1025GiB"):
        (fault,) = faults(f"log: {{limit: {limit}}}\n" + JOBS)
        assert '"limit" in "log" of the plan must be more than 0 and at most 1024GiB' in fault
    (fault,) = faults("log: 1GiB\n" + JOBS)
    assert fault == 'p:1:6: "log" of the plan must be a mapping with "limit" and "when_full"; found "1GiB"'
    (fault,) = faults("limit: 1GiB\n" + JOBS)
    assert 'it belongs in "log"' in fault
