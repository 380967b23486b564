"""`priority`, `concurrency`, `max_parallel` and `retry` are read as they are written, or refused at their place."""

from __future__ import annotations

import pytest

from tailrace.domain.plan import Concurrency, PlanInvalid, Retry, parse_plan
from tailrace.domain.plan.turns import resolve_group

JOBS = "jobs: {a: {steps: [{run: x}]}}"


def fault(text: str) -> str:
    with pytest.raises(PlanInvalid) as caught:
        parse_plan(text, file="p")
    (error,) = caught.value.errors
    return str(error)


def test_a_group_is_a_text_or_a_mapping() -> None:
    """A text is a group whose runs wait for each other."""
    assert parse_plan(f"concurrency: deploy\n{JOBS}").concurrency == Concurrency(group="deploy")
    text = f"concurrency: {{group: 'x-${{branch}}', cancel_superseded: true}}\n{JOBS}"
    assert parse_plan(text).concurrency == Concurrency(group="x-${branch}", cancel_superseded=True)


def test_priority_and_max_parallel_are_whole_numbers() -> None:
    """Within their bounds."""
    plan = parse_plan(f"priority: -5\nmax_parallel: 3\n{JOBS}")
    assert (plan.priority, plan.max_parallel) == (-5, 3)
    assert fault(f"priority: high\n{JOBS}") == (
        'p:1:11: "priority" of the plan must be a whole number from -1000 to 1000; found "high"'
    )
    assert "from 1 to 1000" in fault(f"max_parallel: 0\n{JOBS}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("concurrency: {}", 'p:1:14: "concurrency" of the plan has no "group"; it must name one'),
        ("concurrency: ''", '"concurrency" of the plan must be 1 to 200 printable characters'),
        ("concurrency: 'x-${who}'", 'names "${who}"; allowed: ${branch}'),
        ("concurrency: x\nmax_parallel: 2", "a run takes its turn in one way; keep one"),
    ],
)
def test_a_wrong_group_is_refused(text: str, expected: str) -> None:
    assert expected in fault(f"{text}\n{JOBS}")


def test_a_job_says_how_often_and_after_what_it_is_tried_again() -> None:
    """A number alone is for lost agents."""
    job = "jobs: {a: {retry: %s, steps: [{run: x}]}}"
    assert parse_plan(job % "2").jobs["a"].retry == Retry(max=2, on=("agent_lost",))
    read = parse_plan(job % "{max: 3, on: [timeout, exit_code]}").jobs["a"].retry
    assert read == Retry(max=3, on=("timeout", "exit_code"))
    read = parse_plan(job % "{max: 1, delay: 1m30s}").jobs["a"].retry
    assert read == Retry(max=1, on=("agent_lost",), delay_s=90)
    assert '"delay" in "retry" of job "a" must be a duration' in fault(job % "{delay: soon}")
    assert '"on" in "retry" of job "a" names "aborted_by"; allowed: agent_lost' in fault(
        job % "{on: aborted_by}"
    )
    assert "from 1 to 10" in fault(job % "{max: 11}")


def test_a_value_that_a_run_does_not_have_is_empty() -> None:
    """A manual run may have no branch."""
    assert resolve_group("x-${branch}-${plan}", {"plan": "p"}) == "x--p"


def test_a_job_has_a_group_of_its_own() -> None:
    """Written as that of the plan; in a matrix it may hold a value of the combination."""
    text = "jobs: {a: {%s, matrix: {os: [x]}, steps: [{run: x}]}}"
    job = parse_plan(text % "concurrency: 'on-${matrix.os}-${branch}'").jobs["a (x)"]
    assert job.concurrency == Concurrency(group="on-x-${branch}")
    job = parse_plan(text % "concurrency: {group: g, cancel_superseded: true}").jobs["a (x)"]
    assert job.concurrency == Concurrency(group="g", cancel_superseded=True)
    assert '"concurrency" of job "a" names "${who}"; allowed: ${branch}' in fault(
        text % "concurrency: '${who}'"
    )
    assert 'of job "a" has no "group"; it must name one' in fault(text % "concurrency: {}")
