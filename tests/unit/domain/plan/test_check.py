"""A plan file is looked at without being refused: faults and warnings, each at its place."""

from __future__ import annotations

import pytest

from tailrace.domain.plan.check import check_plan, warnings_of_labels


def warnings(text: str) -> list[str]:
    checked = check_plan(text, "p")
    assert checked.errors == ()
    return [str(one) for one in checked.warnings]


def test_faults_are_told_and_there_is_no_plan() -> None:
    checked = check_plan("jobs: {a: {stepz: []}}", "p")
    assert checked.plan is None
    assert [(at.line, at.column) for at in checked.errors] == [(1, 8), (1, 12)]


def test_a_plan_without_faults_is_given() -> None:
    checked = check_plan("jobs: {a: {steps: [{run: x}]}}")
    assert checked.plan is not None
    assert (checked.errors, checked.warnings, checked.labels) == ((), (), ())


@pytest.mark.parametrize("condition", ["false", "not always", "success and false", "failure and success"])
def test_a_job_whose_condition_never_holds_is_warned_of(condition: str) -> None:
    text = "jobs: {z: {steps: [{run: x}]}, a: {needs: z, if: %s, steps: [{run: x}]}}"
    assert warnings(text % condition) == ['p:1:46: job "a" is never executed: its `if` never holds']


@pytest.mark.parametrize("condition", ["always", "failure", 'branch == "x"', 'not (event == "push")', "true"])
def test_one_that_can_hold_is_not(condition: str) -> None:
    text = "jobs: {z: {steps: [{run: x}]}, a: {needs: z, if: '%s', steps: [{run: x}]}}"
    assert warnings(text % condition) == []


def test_a_job_for_an_event_that_starts_no_run_is_warned_of() -> None:
    job = "jobs: {a: {if: 'event == \"tag\"', steps: [{run: x}]}}"
    assert warnings(job) == []
    assert warnings(f"on: push\n{job}") == [
        'p:2:12: job "a" is never executed: its `if` holds for none of the events that start runs of the plan:'
        " push, manual, tick, change"
    ]


def test_a_job_that_waits_for_such_a_job_is_warned_of_too() -> None:
    """Unless it comes whatever became of it."""
    text = """\
jobs:
  a: {if: false, steps: [{run: x}]}
  b: {needs: [a], steps: [{run: x}]}
  c: {needs: b, steps: [{run: x}]}
  d: {needs: a, if: always, steps: [{run: x}]}
"""
    assert warnings(text) == [
        'p:2:7: job "a" is never executed: its `if` never holds',
        'p:3:15: job "b" is never executed: it needs job "a", which is never executed',
        'p:4:14: job "c" is never executed: it needs job "b", which is never executed',
    ]


def test_labels_that_no_agent_has_are_warned_of() -> None:
    """Also when no single agent has all of a job's."""
    text = "jobs:\n  a: {labels: [linux, gpu], steps: [{run: x}]}\n  b: {labels: linux, steps: [{run: x}]}\n"
    checked = check_plan(text, "p")
    assert warnings_of_labels(checked, "p", [("linux", "gpu")]) == ()
    assert [str(one) for one in warnings_of_labels(checked, "p", [("linux",), ("gpu",)])] == [
        'p:2:7: job "a" would wait: no agent has all of the labels linux, gpu'
    ]
    assert [str(one) for one in warnings_of_labels(checked, "p", [("mac",)])] == [
        'p:2:7: job "a" would wait: no agent has label linux, gpu',
        'p:3:7: job "b" would wait: no agent has label linux',
    ]
