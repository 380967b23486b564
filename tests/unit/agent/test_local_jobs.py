"""Which jobs of a local run begin, and what each gets: as on a server."""

from __future__ import annotations

from typing import Any

from tailrace.agent.local_jobs import JobEnd, LocalJobs, LocalWork
from tailrace.agent.snapshot import Sources
from tailrace.domain.lease import Lease, Need
from tailrace.domain.plan import Concurrency, JobSpec, RunStep
from tailrace.domain.states import JobState


def a_job(name: str, *needs: str, text: str = "", **more: Any) -> JobSpec:
    """A job whose step names something."""
    return JobSpec(name=name, needs=needs, steps=(RunStep(name="take", run="make", env={"A": text}),), **more)


def local_jobs(*jobs: JobSpec, **variables: str) -> LocalJobs:
    sources = Sources(repository="/shop", revision="a" * 40, ref="refs/heads/main", branch="main")
    return LocalJobs(LocalWork({job.name: job for job in jobs}, "shop", "exec", sources, variables, {}))


def begin(jobs: LocalJobs) -> list[str]:
    return [job.name for job in jobs.advance()]


def lease(jobs: LocalJobs, job: JobSpec) -> Lease:
    return jobs.lease(job, 1, 1, "c0")


def test_a_job_gets_what_it_names_of_those_it_needs() -> None:
    """Nothing else, and nothing of jobs that it does not name."""
    deploy = a_job("deploy", "build", "lint", text="${needs.build.outputs.tag}")
    after = a_job("after", "build", "deploy", text="${needs.deploy.outcome}")
    plain = a_job("plain", "build")
    jobs = local_jobs(a_job("build"), a_job("lint"), deploy, after, plain)
    assert begin(jobs) == ["build", "lint"]
    jobs.end("build", JobEnd(JobState.PASSED, outputs={"tag": "v1", "other": "x"}))
    jobs.end("lint", JobEnd(JobState.PASSED, outputs={"tag": "no"}))
    assert begin(jobs) == ["deploy", "plain"]
    assert lease(jobs, deploy).needs == {"build": Need(outcome="passed", outputs={"tag": "v1"})}
    assert lease(jobs, plain).needs == {}
    jobs.end("deploy", JobEnd(JobState.PASSED, outputs={"unasked": "x"}))
    assert begin(jobs) == ["after"]
    assert lease(jobs, after).needs == {"deploy": Need(outcome="passed")}


def test_a_condition_names_all_that_the_run_knows() -> None:
    """Each of them, as steps have it too; the run's variables are over the job's."""
    holds = (
        "event == 'manual' and ref == 'refs/heads/main' and branch == 'main' and plan == 'exec' and project == 'shop'"
        f" and revision == '{'a' * 40}' and variables.KIND == 'of the run' and variables.OWN == 'own'"
    )
    job = a_job("job", condition=holds, variables={"KIND": "of the job", "OWN": "own"})
    jobs = local_jobs(job, KIND="of the run")
    assert begin(jobs) == ["job"]
    assert lease(jobs, job).event == "manual"


def test_conditions_decide_by_outputs_and_outcomes() -> None:
    """Who is skipped is told why."""
    jobs = local_jobs(
        a_job("build"),
        a_job("yes", "build", condition="needs.build.outputs.kind == 'big'"),
        a_job("no", "build", condition="needs.build.outputs.kind == 'small'"),
        a_job("after", "no"),
        a_job("tell", "build", condition="failure"),
        a_job("always", "after", condition="always and needs.after.outcome == 'skipped'"),
    )
    begin(jobs)
    jobs.end("build", JobEnd(JobState.PASSED, outputs={"kind": "big"}))
    assert begin(jobs) == ["yes", "always"]
    assert {name: end.detail for name, end in jobs.ends.items() if end.state is JobState.SKIPPED} == {
        "no": "its condition does not hold: `needs.build.outputs.kind == 'small'` (needs.build.outputs.kind is \"big\")",
        "after": "it needs job no, which did not pass",
        "tell": "its condition does not hold: `failure`",
    }


def test_an_abort_ends_what_waits() -> None:
    """Whatever its condition; what has begun ends by itself."""
    jobs = local_jobs(a_job("build"), a_job("always", "build", condition="always"))
    begin(jobs)
    jobs.abort("kim")
    assert jobs.ends == {"always": JobEnd(JobState.ABORTED, "aborted by kim")}
    jobs.end("build", JobEnd(JobState.ABORTED))
    assert begin(jobs) == []


def test_what_a_job_names_of_one_that_is_left_out_is_empty() -> None:
    """It does not wait for it either."""
    text = "${needs.build.outputs.tag}"
    deploy = a_job("deploy", "build", text=text, condition="needs.build.outcome == ''")
    jobs = local_jobs(deploy)
    assert begin(jobs) == ["deploy"]
    assert lease(jobs, deploy).needs == {}


def test_a_matrix_has_no_more_jobs_under_way_than_it_may() -> None:
    jobs = local_jobs(*(a_job(name, matrix_of="test", max_parallel=2) for name in "abc"))
    assert begin(jobs) == ["a", "b"]
    assert begin(jobs) == []
    jobs.end("b", JobEnd(JobState.PASSED))
    assert begin(jobs) == ["c"]


def test_a_job_that_fails_ends_the_others_of_its_matrix() -> None:
    """Those that waited at once; who runs them is told of the others. A failure that is allowed ends nobody."""
    terms: dict[str, Any] = {"matrix_of": "test", "max_parallel": 2, "fail_fast": True}
    jobs = local_jobs(*(a_job(name, **terms) for name in "abc"), a_job("other"))
    assert begin(jobs) == ["a", "b", "other"]
    assert jobs.end("b", JobEnd(JobState.FAILED)) == ("a",)
    assert jobs.ends["c"] == JobEnd(JobState.ABORTED, "aborted by job b, which failed")
    jobs = local_jobs(*(a_job(name, allow_failure=True, **terms) for name in "abc"))
    begin(jobs)
    assert jobs.end("a", JobEnd(JobState.FAILED)) == ()


def test_jobs_of_one_group_take_turns() -> None:
    """Its name may hold values of the run."""
    one, same, other = (Concurrency(group=group) for group in ("on-${branch}", "on-main", "on"))
    jobs = local_jobs(
        a_job("a", concurrency=one), a_job("b", concurrency=same), a_job("c", concurrency=other)
    )
    assert begin(jobs) == ["a", "c"]
    assert begin(jobs) == []
    jobs.end("a", JobEnd(JobState.FAILED))
    assert begin(jobs) == ["b"]
