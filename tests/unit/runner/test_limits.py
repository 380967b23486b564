"""The limits of a job: what holds is what the kernel reads back, and what happens at a limit has its name."""

from __future__ import annotations

import sys

import pytest

from tailrace.domain.plan.model import LimitsSpec
from tailrace.runner.command import send_abort
from tests.support.control_groups import left_of, need_limits
from tests.unit.runner.bench import Bench, inside, until

MIB = 1 << 20
EATS = f"{sys.executable} -c 'x = b\"x\" * (200 << 20); print(len(x))'"
FORKS = (
    f"{sys.executable} -c 'import os, time\n"
    "for i in range(60):\n"
    "    if os.fork() == 0:\n"
    "        time.sleep(1000)'"
)


@pytest.fixture
def limiting(own: Bench) -> Bench:
    """A bench on a machine that can set all limits."""
    need_limits(own.folder)
    return own


async def test_the_limits_that_hold_are_those_of_the_plan(limiting: Bench) -> None:
    """The log says them, and the kernel's files do; the step's own processes are in the group, the runner is not."""
    limits = LimitsSpec(memory=64 * MIB, processes=50, cpu=0.5)
    attempt = limiting.attempt("echo ready; sleep 1000", limits=limits, grace_s=0.1)
    pid = await limiting.start(attempt)
    await until(lambda: attempt.stdout == b"ready\n")
    assert "tailrace: limits: 64 MiB of memory, 50 processes, 0.5 processors\n" in attempt.system
    await until(lambda: inside(attempt, limited=True) == set(attempt.processes) == inside(attempt) - {pid})
    assert inside(attempt, limited=True)
    assert await send_abort(attempt.folder, "kim")
    assert (await limiting.end(attempt)).outcome.state == "aborted"
    await until(lambda: left_of(limiting.folder) == [])


async def test_a_job_without_limits_says_nothing_of_them(limiting: Bench) -> None:
    """Its processes are in a group all the same, where the kernel can end them at once."""
    attempt = limiting.attempt("echo ready; sleep 1000", grace_s=0.1)
    pid = await limiting.start(attempt)
    await until(lambda: attempt.stdout == b"ready\n")
    assert "limit" not in attempt.system
    await until(lambda: inside(attempt) - {pid} == set(attempt.processes) != set())
    assert await send_abort(attempt.folder, "kim")
    await limiting.end(attempt)
    await until(lambda: left_of(limiting.folder) == [])


async def test_out_of_memory_is_named_with_its_limit_and_step(limiting: Bench) -> None:
    """The kernel's kill is no mere signal: the reason, the step and the limit are told."""
    attempt = limiting.attempt("true", EATS, "echo never", limits=LimitsSpec(memory=48 * MIB))
    outcome = (await limiting.carry(attempt)).outcome
    assert (outcome.state, outcome.reason) == ("failed", "out_of_memory")
    assert outcome.detail == (
        "step 'two' ran out of memory: the kernel killed a process of it at the job's limit of 48 MiB of memory"
    )
    assert attempt.stdout == b""
    assert [step[:2] for step in attempt.steps] == [
        ("one", "passed"),
        ("two", "failed"),
        ("three", "skipped"),
    ]
    await limiting.warm.close(leave=True)
    await until(lambda: left_of(limiting.folder) == [])


async def test_a_step_that_bears_a_kill_for_memory_passes_and_the_log_says_so(limiting: Bench) -> None:
    """As test runners do that start a process for each test."""
    attempt = limiting.attempt(f"{EATS} || echo went on", limits=LimitsSpec(memory=48 * MIB))
    assert (await limiting.carry(attempt)).outcome.state == "passed"
    assert attempt.stdout == b"went on\n"
    assert (
        "the kernel killed a process of step 'one' at the job's limit of 48 MiB of memory" in attempt.system
    )


async def test_a_kill_by_the_script_itself_is_not_out_of_memory(limiting: Bench) -> None:
    """Who is told to look for memory must have had too little."""
    attempt = limiting.attempt("kill -KILL $$", limits=LimitsSpec(memory=48 * MIB))
    outcome = (await limiting.carry(attempt)).outcome
    assert (outcome.reason, outcome.detail) == ("signal", "step 'one' was killed by SIGKILL")


async def test_out_of_processes_is_named_with_its_limit_and_step(limiting: Bench) -> None:
    """What the kernel refused is told beside what became of the step."""
    attempt = limiting.attempt(FORKS, limits=LimitsSpec(processes=20))
    outcome = (await limiting.carry(attempt)).outcome
    assert (outcome.state, outcome.reason, outcome.exit_code) == ("failed", "out_of_processes", 1)
    assert outcome.detail == (
        "step 'one' ended with exit code 1; the kernel had refused it another process once:"
        " the job's limit is 20 processes and threads at a time"
    )
    assert b"BlockingIOError" in attempt.stderr
    assert attempt.processes == []
    await limiting.warm.close(leave=True)
    await until(lambda: left_of(limiting.folder) == [])


async def test_a_fork_bomb_ends_with_its_job(limiting: Bench) -> None:
    """At the limit of processes, forking as fast as it can when the job is aborted."""
    bomb = "b() { b | b & b; }; echo ready; b 2>/dev/null"
    attempt = limiting.attempt(bomb, limits=LimitsSpec(processes=40), grace_s=0.1)
    await limiting.start(attempt)
    await until(lambda: attempt.stdout == b"ready\n")
    await send_abort(attempt.folder, "kim")
    await limiting.end(attempt)
    assert attempt.processes == []
    await until(lambda: left_of(limiting.folder) == [])


async def test_a_limit_of_processor_time_slows_a_job_down(limiting: Bench) -> None:
    """The kernel counts how often it held the job back."""
    spin = "import time\nwhile time.process_time() < 0.2: pass"
    attempt = limiting.attempt(
        f"{sys.executable} -c '{spin}'; grep -h nr_throttled $(sed 's|$|/cpu.stat|' ../groups) 2>/dev/null",
        limits=LimitsSpec(cpu=0.1),
    )
    await limiting.carry(attempt)
    assert max(int(line.split()[1]) for line in attempt.stdout.splitlines()) > 0


async def test_the_first_process_of_a_step_starts_at_the_limit(limiting: Bench) -> None:
    """What earlier steps left running has taken all places: the step starts, and cannot fork."""
    fill = "for i in 1 2 3 4 5; do sleep 1000 >/dev/null 2>&1 & done"
    fork = f"exec {sys.executable} -c 'import os; print(\"starts\", flush=True); os.fork()'"
    attempt = limiting.attempt(fill, fork, limits=LimitsSpec(processes=6))
    outcome = (await limiting.carry(attempt)).outcome
    assert attempt.stdout == b"starts\n"
    assert (outcome.reason, attempt.steps[1][1]) == ("out_of_processes", "failed")
