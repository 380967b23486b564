"""The key `limits`: the most that a job may take."""

from __future__ import annotations

import pytest

from tailrace.domain.plan import JobSpec, PlanInvalid, parse_plan
from tailrace.domain.plan.model import LimitsSpec

JOBS = "jobs:\n  a:\n    steps: [run: make]\n"
MIB = 1 << 20


def job(text: str) -> JobSpec:
    return parse_plan(text).jobs["a"]


def faults(text: str) -> list[str]:
    with pytest.raises(PlanInvalid) as caught:
        parse_plan(text, "p")
    return str(caught.value).splitlines()


def test_a_job_has_no_limits() -> None:
    """Unless somebody sets them."""
    assert job(JOBS).limits == LimitsSpec(memory=None, processes=None, cpu=None)


def test_a_job_leaves_to_the_plan_what_it_does_not_say() -> None:
    """Key by key."""
    plan = "limits: {memory: 512MiB, processes: 100}\n"
    assert job(plan + JOBS).limits == LimitsSpec(memory=512 * MIB, processes=100)
    own = JOBS + "    limits: {memory: 4194304, cpu: 1.5}\n"
    assert job(plan + own).limits == LimitsSpec(memory=4 * MIB, processes=100, cpu=1.5)
    assert job(JOBS + "    limits: {cpu: 2}\n").limits.cpu == 2.0


def test_of_two_limits_the_lower_one_holds() -> None:
    """Any limit is lower than none."""
    plan = LimitsSpec(memory=64 * MIB, processes=500)
    agent = LimitsSpec(memory=128 * MIB, processes=100, cpu=1)
    assert plan.capped(agent) == agent.capped(plan) == LimitsSpec(memory=64 * MIB, processes=100, cpu=1)
    assert plan.capped(LimitsSpec()) == plan


def test_what_is_no_limit_is_refused_with_what_is_allowed() -> None:
    """With its place."""
    text = JOBS + "    limits: {memory: 1GB, processes: many, cpu: 50%, disk: 3, cpus: 2}\n"
    assert faults(text) == [
        'p:4:22: "memory" in "limits" of job "a" must be a size; found "1GB"; allowed: whole bytes, or KiB, MiB or GiB'
        " such as 512KiB, 100MiB or 1GiB",
        'p:4:38: "processes" in "limits" of job "a" must be a whole number from 4 to 4194304; found "many"',
        'p:4:49: "cpu" in "limits" of job "a" must be a number of processors from 0.01 to 10000 such as 2 or 0.5;'
        ' found "50%"',
        'p:4:54: "disk" in "limits" of job "a" is not supported yet; allowed here: cpu, memory, processes',
        'p:4:63: unknown key "cpus" in "limits" of job "a"; did you mean "cpu"? allowed here: cpu, memory, processes',
    ]
    for limits, words in (
        ("{memory: 1MiB}", "must be from 4MiB to 1048576GiB"),
        ("{memory: 1048577GiB}", "must be from 4MiB to 1048576GiB"),
        ("{processes: 3}", "must be a whole number from 4 to 4194304"),
        ("{cpu: 0}", "must be a number of processors from 0.01"),
        ("{cpu: -1}", "must be a number of processors from 0.01"),
        ("{cpu: .5}", "must be a number of processors from 0.01"),
    ):
        (fault,) = faults(f"limits: {limits}\n" + JOBS)
        assert words in fault
    (fault,) = faults("limits: 1GiB\n" + JOBS)
    assert 'must be a mapping with "memory", "processes" and "cpu"; found "1GiB"' in fault
