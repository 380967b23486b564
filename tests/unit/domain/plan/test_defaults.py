"""Jobs have what `defaults` say, unless they say something else; what is wrong there is told once."""

from __future__ import annotations

import pytest

from tailrace.domain.plan import PlanInvalid, Retry, parse_plan
from tailrace.domain.plan.check import check_plan

PLAN = """\
defaults: {labels: linux, timeout: 5m, checkout: false, retry: 2, working_directory: src}
jobs:
  a: {steps: [{run: x}]}
  b: {labels: [mac], timeout: 1h, checkout: {depth: 3}, steps: [{run: x}]}
"""


def test_a_job_has_what_it_does_not_say_itself() -> None:
    jobs = parse_plan(PLAN).jobs
    assert (jobs["a"].labels, jobs["a"].timeout_s, jobs["a"].checkout) == (("linux",), 300, False)
    assert (jobs["a"].retry, jobs["a"].working_directory) == (Retry(max=2), "src")
    assert (jobs["b"].labels, jobs["b"].timeout_s) == (("mac",), 3600), "its own alone"
    assert (jobs["b"].checkout, jobs["b"].depth, jobs["b"].retry) == (True, 3, Retry(max=2))


def test_jobs_of_a_matrix_have_them_too() -> None:
    text = "defaults: {timeout: 5m}\njobs: {a: {matrix: {x: [1, 2]}, steps: [{run: x}]}}"
    assert {job.timeout_s for job in parse_plan(text).jobs.values()} == {300}


def test_a_label_that_no_agent_has_is_looked_for_where_it_is_written() -> None:
    wanted = check_plan(PLAN).labels
    assert [(one.job, one.labels, one.line) for one in wanted] == [("a", ("linux",), 1), ("b", ("mac",), 4)]


@pytest.mark.parametrize(
    ("defaults", "expected"),
    [
        ("[x]", 'p:1:11: "defaults" of the plan must be a mapping of keys of jobs; found a list'),
        ("{timeout: soon}", 'p:1:21: "timeout" of "defaults" must be a duration; found "soon"'),
        ("{labels: '-'}", '"-" of "defaults" cannot be a label'),
        ("{secrets: X}", '"secrets" in "defaults" of the plan is not supported yet'),
        ("{steps: []}", 'unknown key "steps" in "defaults" of the plan; it belongs in'),
    ],
)
def test_what_is_wrong_is_told_once(defaults: str, expected: str) -> None:
    """And not for each job."""
    with pytest.raises(PlanInvalid) as caught:
        parse_plan(
            f"defaults: {defaults}\njobs: {{a: {{steps: [{{run: x}}]}}, b: {{steps: [{{run: x}}]}}}}", "p"
        )
    (error,) = caught.value.errors
    assert expected in str(error)
