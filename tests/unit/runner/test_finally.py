"""The steps of `finally`: whatever became of the others, and never for ever."""

from __future__ import annotations

import asyncio

from tailrace.domain.plan import RunStep
from tailrace.runner.command import send_abort
from tests.support.pace import at_some_pace
from tests.unit.runner.bench import Bench, until
from tests.unit.runner.test_steps import step

CLEAN = (step("clean", "echo clean"),)


async def test_they_come_after_a_success(bench: Bench) -> None:
    """With an index of their own, after all others."""
    attempt = bench.attempt("echo work", last=CLEAN)
    assert (await bench.carry(attempt)).outcome.state == "passed"
    assert attempt.stdout == b"work\nclean\n"
    assert attempt.steps == [("one", "passed", 0), ("clean", "passed", 0)]
    assert attempt.at(attempt.whole[1].index(b"clean\n")).step == 1


async def test_they_come_after_a_failure_and_after_each_other(bench: Bench) -> None:
    """The outcome is that of the job's own steps; conditions tell which was which."""
    attempt = bench.attempt(
        "exit 3",
        "echo never",
        last=(
            step("bad", "exit 4"),
            step("success", "echo never", condition="success"),
            step("failure", "echo failure", condition="failure"),
            *CLEAN,
        ),
    )
    outcome = (await bench.carry(attempt)).outcome
    assert (outcome.reason, outcome.exit_code) == ("exit_code", 3)
    assert attempt.stdout == b"failure\nclean\n"
    assert [state for _, state, _ in attempt.steps] == [
        "failed", "skipped", "failed", "skipped", "passed", "passed",
    ]  # fmt: skip


async def test_one_that_fails_fails_a_job_that_had_passed(bench: Bench) -> None:
    """Unless it may."""
    attempt = bench.attempt("true", last=(step("bad", "exit 4"),))
    assert (await bench.carry(attempt)).outcome.detail == "step 'bad' ended with exit code 4"
    attempt = bench.attempt("true", last=(step("bad", "exit 4", continue_on_error=True),))
    assert (await bench.carry(attempt)).outcome.state == "passed"


async def test_they_come_after_an_abort(bench: Bench) -> None:
    """The job is aborted, they pass; the same order told twice is one order."""
    attempt = bench.attempt("echo ready; sleep 1000", "echo never", last=(
        step("aborted", "echo aborted; until test -e ../go; do sleep 0.01; done", condition="aborted"), *CLEAN,
    ))  # fmt: skip
    await bench.start(attempt)
    await until(lambda: attempt.stdout == b"ready\n")
    assert await send_abort(attempt.folder, "kim", times=1)
    await until(lambda: b"aborted\n" in attempt.stdout)
    assert await send_abort(attempt.folder, "kim", times=1)
    (attempt.folder.path / "go").touch()
    outcome = (await bench.end(attempt)).outcome
    assert (outcome.state, outcome.detail) == ("aborted", "aborted by kim")
    assert attempt.stdout == b"ready\naborted\nclean\n"
    assert attempt.steps == [
        ("one", "aborted", None), ("two", "skipped", None), ("aborted", "passed", 0), ("clean", "passed", 0),
    ]  # fmt: skip


async def test_a_second_abort_ends_them(bench: Bench) -> None:
    """The one that runs, and those that would follow."""
    attempt = bench.attempt(
        "echo ready; sleep 1000", last=(step("slow", "echo slow; sleep 1000"), *CLEAN), grace_s=0.2
    )
    await bench.start(attempt)
    await until(lambda: attempt.stdout == b"ready\n")
    assert await send_abort(attempt.folder, "kim", times=1)
    await until(lambda: b"slow\n" in attempt.stdout)
    assert await send_abort(attempt.folder, "lee", times=2)
    outcome = (await bench.end(attempt)).outcome
    assert (outcome.state, outcome.detail) == ("aborted", "aborted by kim")
    assert [state for _, state, _ in attempt.steps] == ["aborted", "aborted", "skipped"]
    assert attempt.processes == []


async def test_a_first_abort_lets_them_go_on(bench: Bench) -> None:
    """They are what clears up after it; the job counts as aborted."""
    attempt = bench.attempt(
        "true", last=(step("slow", "echo slow; until test -e ../go; do sleep 0.01; done"), *CLEAN)
    )
    await bench.start(attempt)
    await until(lambda: attempt.stdout == b"slow\n")
    assert await send_abort(attempt.folder, "kim", times=1)
    (attempt.folder.path / "go").touch()
    outcome = (await bench.end(attempt)).outcome
    assert (outcome.state, outcome.detail) == ("aborted", "aborted by kim")
    assert attempt.stdout == b"slow\nclean\n"


async def test_two_aborts_at_once_leave_no_time_for_them(bench: Bench) -> None:
    """Who asked twice before they began does not want them."""

    async def trial(time: int) -> None:
        attempt = bench.attempt("trap '' TERM; echo ready; sleep 1000", last=CLEAN, grace_s=0.5 * time)
        await bench.start(attempt)
        await until(lambda: attempt.stdout == b"ready\n")
        await asyncio.gather(send_abort(attempt.folder, "kim"), send_abort(attempt.folder, "kim"))
        assert (await bench.end(attempt)).outcome.state == "aborted"
        assert attempt.steps == [("one", "aborted", None), ("clean", "skipped", None)]

    await at_some_pace(trial)


async def test_they_come_after_a_timeout_and_have_one(bench: Bench) -> None:
    """Their time is their own; the outcome is the job's first trouble."""
    slow = (step("slow", "echo slow; sleep 1000"), *CLEAN)

    async def trial(time: int) -> None:
        attempt = bench.attempt("sleep 1000", timeout_s=1, last=slow, last_timeout_s=time, grace_s=0.2)
        outcome = (await bench.carry(attempt)).outcome
        assert outcome.detail == "the job ran longer than its timeout of 1 s"
        assert attempt.stdout == b"slow\n"
        assert [state for _, state, _ in attempt.steps] == ["failed", "failed", "skipped"]
        said = (
            f"the steps of `finally` ran longer than their timeout of {time} s; ending the step's processes"
        )
        assert said in attempt.system

    await at_some_pace(trial)


async def test_their_time_fails_a_job_that_had_passed(bench: Bench) -> None:
    """A job is not over before they are."""
    attempt = bench.attempt(
        "true", timeout_s=600, last=(step("slow", "sleep 1000"),), last_timeout_s=1, grace_s=0.2
    )
    outcome = (await bench.carry(attempt)).outcome
    assert (outcome.state, outcome.reason) == ("failed", "timeout")
    assert outcome.detail == "the steps of `finally` ran longer than their timeout of 1 s"


async def test_the_jobs_time_is_not_theirs(bench: Bench) -> None:
    """They may go on when it is over, and be silent."""

    async def trial(time: int) -> None:
        attempt = bench.attempt(
            "true",
            timeout_s=time,
            idle_timeout_s=time,
            last=(step("slow", f"sleep {time + 0.5}; echo done"),),
        )
        assert (await bench.carry(attempt)).outcome.state == "passed"
        assert attempt.stdout == b"done\n"

    await at_some_pace(trial)


async def test_whoever_is_in_a_hurry_gives_them_little_time(bench: Bench) -> None:
    """An agent that is stopped at a terminal does not wait for minutes."""
    slow: tuple[RunStep, ...] = (step("slow", "echo slow; sleep 1000"),)

    async def trial(_: int) -> None:
        attempt = bench.attempt("echo ready; sleep 1000", last=slow, last_timeout_s=300)
        await bench.start(attempt)
        await until(lambda: attempt.stdout == b"ready\n")
        assert await send_abort(attempt.folder, "the agent (Ctrl-C)", grace_s=0.2)
        assert (await bench.end(attempt)).outcome.state == "aborted"
        assert attempt.stdout == b"ready\nslow\n"

    await at_some_pace(trial)


async def test_they_do_not_come_where_nothing_has_begun(bench: Bench) -> None:
    """A job without its secrets has nothing to clear up."""
    attempt = bench.attempt("true", secrets=("TOKEN",), last=CLEAN)
    assert (await bench.carry(attempt)).outcome.reason == "setup_failed"
    assert attempt.steps == [("one", "skipped", None), ("clean", "skipped", None)]
