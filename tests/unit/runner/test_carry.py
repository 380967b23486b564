"""From lease to outcome: what an attempt's journal says of its end, and that nothing is left of it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from contextlib import suppress
from pathlib import Path

import pytest

from tailrace.domain.facts import Started
from tailrace.domain.outcome import Outcome
from tailrace.domain.states import AttemptState
from tailrace.runner.command import send_abort
from tailrace.runner.sockets import address
from tests.support.pace import at_some_pace
from tests.unit.runner.bench import PATIENCE_S, Bench, Carried, until

IGNORES_TERM = "trap '' TERM; echo ready; while true; do sleep 0.05; done"
DAEMON = 'setsid sh -c \'trap "" TERM HUP; (trap "" TERM; exec sleep 1000) & sleep 1000\' >/dev/null 2>&1 </dev/null &'


async def test_a_job_that_passes(bench: Bench) -> None:
    """Started, each step begun and ended, Finished last; the workspace is gone, lease and log remain."""
    attempt = bench.attempt("echo 1", "echo 2")
    finished = await bench.carry(attempt)
    assert finished.outcome == Outcome(state=AttemptState.PASSED, exit_code=0)
    assert isinstance(attempt.facts[0], Started)
    assert [fact.kind for fact in attempt.facts] == [
        "started", "step_began", "step_ended", "step_began", "step_ended", "finished",
    ]  # fmt: skip
    assert attempt.steps == [("one", "passed", 0), ("two", "passed", 0)]
    assert not attempt.folder.workspace.exists()
    assert not attempt.folder.tmp.exists()
    assert not attempt.folder.command.exists()
    assert attempt.folder.lease_file.exists()


async def test_a_job_without_steps_passes(bench: Bench) -> None:
    """There is nothing to do, and it is done."""
    attempt = bench.attempt()
    assert (await bench.carry(attempt)).outcome.state == "passed"


async def test_an_exit_code_fails_the_job_and_skips_the_rest(bench: Bench) -> None:
    """The detail names step and code; the steps after it are skipped."""
    attempt = bench.attempt("true", "exit 42", "echo never", "echo never")
    outcome = (await bench.carry(attempt)).outcome
    assert (outcome.state, outcome.reason, outcome.exit_code) == ("failed", "exit_code", 42)
    assert outcome.detail == "step 'two' ended with exit code 42"
    assert attempt.steps == [
        ("one", "passed", 0), ("two", "failed", 42), ("three", "skipped", None), ("four", "skipped", None),
    ]  # fmt: skip
    assert attempt.begun == ["one", "two"]
    assert attempt.stdout == b""
    assert attempt.system.endswith("tailrace: failed: step 'two' ended with exit code 42\n")


async def test_the_first_command_that_fails_ends_the_script(bench: Bench) -> None:
    """Scripts run with -e and pipefail."""
    attempt = bench.attempt("echo a; false | cat; echo b")
    outcome = (await bench.carry(attempt)).outcome
    assert (outcome.exit_code, attempt.stdout) == (1, b"a\n")


async def test_a_signal_is_told_by_name(bench: Bench) -> None:
    """A step's process that dies by a signal is no exit code."""
    attempt = bench.attempt("kill -SEGV $$")
    outcome = (await bench.carry(attempt)).outcome
    assert (outcome.state, outcome.reason, outcome.exit_code) == ("failed", "signal", None)
    assert outcome.detail == "step 'one' was killed by SIGSEGV"


async def test_a_script_of_a_megabyte(bench: Bench) -> None:
    """Longer than any argument may be."""
    attempt = bench.attempt("# " + "x" * (1 << 20) + "\necho big")
    await bench.carry(attempt)
    assert attempt.stdout == b"big\n"


async def test_the_environment_is_only_what_is_promised(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, agent_folder: Path
) -> None:
    """Nothing of the agent's environment leaks; the run's variables win over the job's; stdin is empty."""
    attempt = bench.attempt(
        "cat; env -0",
        job_variables={"WHO": "job", "JOB": "x y\n'\"$"},
        variables={"WHO": "run", "TAILRACE_COOKIE": "forged", "LANG": "de_DE.UTF-8"},
    )
    await bench.carry(attempt)
    said = dict(line.split("=", 1) for line in attempt.stdout.decode().rstrip("\0").split("\0"))
    for name in ("_", "SHLVL", "PWD", "OLDPWD"):  # bash's own
        said.pop(name, None)
    lease = attempt.folder.lease()
    assert set(said) == {
        "PATH", "HOME", "USER", "LANG", "TMPDIR", "CI", "WHO", "JOB", "TAILRACE", "TAILRACE_RUN_ID",
        "TAILRACE_RUN_NUMBER", "TAILRACE_PROJECT", "TAILRACE_PLAN", "TAILRACE_JOB", "TAILRACE_ATTEMPT",
        "TAILRACE_REVISION", "TAILRACE_REF", "TAILRACE_BRANCH", "TAILRACE_TAG", "TAILRACE_HEAD",
        "TAILRACE_EVENT", "TAILRACE_WORKSPACE", "TAILRACE_COOKIE",
        "TAILRACE_OUTPUT",
    }  # fmt: skip
    assert (said["WHO"], said["JOB"], said["LANG"]) == ("run", "x y\n'\"$", "de_DE.UTF-8")
    assert said["TAILRACE_COOKIE"] == lease.cookie
    assert said["TMPDIR"] == str(attempt.folder.tmp)


async def test_steps_inherit_no_descriptors_and_work_in_the_workspace(bench: Bench) -> None:
    """Only stdin, stdout and stderr are open, besides what the listing itself opens."""
    attempt = bench.attempt("pwd; ls -l /proc/self/fd | grep -c -e '->' ; readlink /proc/self/fd/0")
    await bench.carry(attempt)
    assert attempt.stdout.decode().split() == [str(attempt.folder.workspace), "4", "/dev/null"]


@pytest.mark.skipif(os.geteuid() != 0, reason="a runner hides what it holds from others of its user")
async def test_a_runner_holds_nothing_of_its_parent(bench: Bench) -> None:
    """No socket of the warm parent or of an agent's connection is open in a runner."""
    attempt = bench.attempt("sleep 1000", grace_s=0.1)
    pid = await bench.start(attempt)
    await until(lambda: attempt.begun)
    sockets: list[str] = []
    for entry in Path("/proc/net/unix").read_text().splitlines():
        if "warm.sock" in entry:
            sockets.append(f"socket:[{entry.split()[6]}]")
    assert sockets
    held = set[str]()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it was closed while we looked
            held.add(str(fd.readlink()))
    assert not held & set(sockets)
    assert await send_abort(attempt.folder, "kim")
    await bench.end(attempt)


async def test_the_agent_is_woken(own: Bench) -> None:
    """The attempt's folder name arrives on the agent's socket, also for the very last fact."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as agent, address(own.folder / "wake.sock") as name:
        agent.bind(name)
        agent.setblocking(False)
        attempt = own.attempt("true")
        await own.start(attempt)
        loop = asyncio.get_running_loop()
        while attempt.finished is None:
            async with asyncio.timeout(PATIENCE_S):
                assert await loop.sock_recv(agent, 100) == attempt.folder.path.name.encode()


async def test_a_timeout_kills_what_ignores_sigterm(bench: Bench) -> None:
    """SIGTERM, the grace, SIGKILL: also for children in other sessions; the reason is the timeout."""

    async def trial(time: int) -> None:
        attempt = bench.attempt(f"{DAEMON}\n{IGNORES_TERM}", "echo never", timeout_s=time, grace_s=0.3)
        outcome = (await bench.carry(attempt)).outcome
        assert (outcome.state, outcome.reason) == ("failed", "timeout")
        assert outcome.detail == f"the job ran longer than its timeout of {time} s"
        assert attempt.stdout == b"ready\n"
        assert attempt.processes == []
        assert attempt.steps == [("one", "failed", None), ("two", "skipped", None)]
        assert "still running 0.3 s after SIGTERM: killed" in attempt.system

    await at_some_pace(trial)


async def test_the_timeout_is_for_the_whole_attempt(bench: Bench) -> None:
    """Steps that are short one by one are too long together."""
    attempt = bench.attempt(*["sleep 0.5"] * 5, timeout_s=1)
    outcome = (await bench.carry(attempt)).outcome
    assert outcome.reason == "timeout"
    assert attempt.steps[-1] == ("five", "skipped", None)


async def test_an_abort_lets_a_step_clean_up(bench: Bench) -> None:
    """A process that heeds SIGTERM has its grace, and its last words are in the log; the outcome names who."""
    attempt = bench.attempt(
        "trap 'echo bye; exit 3' TERM; echo ready; while true; do sleep 0.01; done", "echo never"
    )
    await bench.start(attempt)
    await until(lambda: attempt.stdout == b"ready\n")
    assert await send_abort(attempt.folder, "kim@example.org")
    outcome = (await bench.end(attempt)).outcome
    assert (outcome.state, outcome.reason) == ("aborted", "aborted_by")
    assert outcome.detail == "aborted by kim@example.org"
    assert attempt.stdout == b"ready\nbye\n"
    assert attempt.steps == [("one", "aborted", 3), ("two", "skipped", None)]
    assert attempt.processes == []


async def test_a_suspended_step_can_heed_an_abort(bench: Bench) -> None:
    """It is woken for its SIGTERM."""
    attempt = bench.attempt("trap 'echo bye; exit 3' TERM; echo ready; kill -STOP $$; sleep 1000")
    await bench.start(attempt)
    await until(lambda: attempt.stdout == b"ready\n")
    assert await send_abort(attempt.folder, "kim")
    await bench.end(attempt)
    assert attempt.stdout == b"ready\nbye\n"


async def test_an_abort_kills_what_ignores_sigterm(bench: Bench) -> None:
    """Everything is dead after the grace."""
    attempt = bench.attempt(f"{DAEMON}\n{IGNORES_TERM}", grace_s=0.1)
    await bench.start(attempt)
    await until(lambda: attempt.stdout == b"ready\n")
    assert await send_abort(attempt.folder, "kim")
    assert (await bench.end(attempt)).outcome.state == "aborted"
    assert attempt.processes == []


async def test_an_abort_before_the_first_step(bench: Bench) -> None:
    """Sent the moment the runner exists, it is waited for and heeded."""
    attempt = bench.attempt("sleep 1000", grace_s=0.1)
    await bench.start(attempt)
    assert await send_abort(attempt.folder, "kim")
    assert (await bench.end(attempt)).outcome.state == "aborted"


async def test_aborts_at_any_time_find_a_runner_or_its_end(bench: Bench) -> None:
    """Between steps too: every attempt ends aborted or, where the abort came too late, passed; none hangs."""
    attempts = [bench.attempt(*["true"] * 5, grace_s=0.1) for _ in range(12)]

    async def abort_after(attempt: Carried, delay_s: float) -> None:
        await bench.start(attempt)
        await asyncio.sleep(delay_s)
        taken = await send_abort(attempt.folder, "kim")
        finished = await bench.end(attempt)
        assert finished.outcome.state in (("aborted", "passed") if taken else ("passed",))
        assert len(attempt.steps) == 5

    await asyncio.gather(*(abort_after(attempt, i * 0.003) for i, attempt in enumerate(attempts)))


async def test_nobody_takes_an_abort_for_a_runner_that_is_gone(bench: Bench) -> None:
    """Neither before it started nor after it finished."""
    attempt = bench.attempt("true")
    assert not await send_abort(attempt.folder, "kim")
    await bench.carry(attempt)
    assert not await send_abort(attempt.folder, "kim")


async def test_sigterm_to_the_runner_is_the_end_of_its_machine(bench: Bench) -> None:
    """As a shutdown does it: nobody wanted the job to end, so that it may be tried again elsewhere."""
    attempt = bench.attempt("echo ready; sleep 1000", grace_s=0.5)
    pid = await bench.start(attempt)
    await until(lambda: attempt.stdout == b"ready\n")
    os.kill(pid, signal.SIGTERM)
    outcome = (await bench.end(attempt)).outcome
    assert (outcome.state, outcome.reason) == ("failed", "agent_lost")
    assert outcome.detail == "the agent's machine was shut down before the attempt had ended"


async def test_daemons_do_not_survive_the_job(bench: Bench) -> None:
    """Not by a double fork, not in a session of their own, not without the cookie in their environment."""
    seconds = str(1_000_000 + int.from_bytes(os.urandom(3)))
    attempt = bench.attempt(
        f"{DAEMON}\nenv -i setsid sleep {seconds} >/dev/null 2>&1 </dev/null &\nsleep 0.1", "true"
    )
    assert (await bench.carry(attempt)).outcome.state == "passed"
    assert attempt.processes == []
    assert f"sleep\0{seconds}\0".encode() not in _command_lines()
    assert "processes that the steps left running" in attempt.system


async def test_daemons_live_until_the_last_step(bench: Bench) -> None:
    """A service that one step starts serves the next."""
    attempt = bench.attempt(
        "sleep 1000 >/dev/null 2>&1 & echo $! > service", "kill -0 $(cat service) && echo serves"
    )
    await bench.carry(attempt)
    assert attempt.stdout == b"serves\n"


async def test_a_step_that_cannot_be_started(bench: Bench) -> None:
    """A variable that no environment can hold is a failed setup with its cause, not a dead runner."""
    attempt = bench.attempt("true", "true", variables={"A": "x\0y"})
    outcome = (await bench.carry(attempt)).outcome
    assert (outcome.state, outcome.reason) == ("failed", "setup_failed")
    assert outcome.detail is not None
    assert "step 'one' could not be started" in outcome.detail
    assert attempt.steps == [("one", "failed", None), ("two", "skipped", None)]


def _command_lines() -> list[bytes]:
    found: list[bytes] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found.append((entry / "cmdline").read_bytes())
            except OSError:
                continue
    return found
