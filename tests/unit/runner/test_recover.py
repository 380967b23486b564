"""An attempt whose runner is dead."""

from __future__ import annotations

import subprocess
import sys
import zlib

import pytest

from tailrace.domain.errors import Conflict
from tailrace.domain.plan import RunStep
from tailrace.runner.command import send_abort
from tailrace.runner.recover import finish_dead
from tests.unit.runner.bench import Bench, Carried, kill, until


def check(attempt: Carried) -> None:
    finished = finish_dead(attempt.folder, 4711)
    _, data = attempt.whole
    assert attempt.facts[-1] == finished
    assert (finished.size, finished.crc32) == (len(data), zlib.crc32(data))
    assert (finished.outcome.state, finished.outcome.reason) == ("failed", "runner_died")
    assert finished.outcome.detail is not None
    assert (
        data.endswith(f"\ntailrace: failed: {finished.outcome.detail}\n".encode())
        or attempt.facts[0].time == 4711
    )
    assert attempt.processes == []
    facts = attempt.facts
    assert finish_dead(attempt.folder, 9999) == finished
    assert attempt.facts == facts
    assert attempt.whole[1] == data


async def test_a_killed_runner(bench: Bench) -> None:
    """Its processes are killed, daemons too; the log stays whole up to then; the steps have ends."""
    attempt = bench.attempt("true", "setsid sleep 1000 & printf 'half a line'; sleep 1000", "echo never")
    pid = await bench.start(attempt)
    await until(lambda: attempt.stdout == b"half a line")
    assert len(attempt.processes) >= 2
    kill(pid)
    await until(lambda: not attempt.folder.is_alive())
    check(attempt)
    assert attempt.stdout == b"half a line"
    assert [step[:2] for step in attempt.steps] == [
        ("one", "passed"),
        ("two", "failed"),
        ("three", "skipped"),
    ]
    assert attempt.whole[0][-1].step == 1


async def test_a_machine_that_was_restarted(bench: Bench) -> None:
    """Who signed the lock with another boot's name was lost with it: that says more than that its runner is dead."""
    attempt = bench.attempt("printf said; sleep 1000", "echo never")
    pid = await bench.start(attempt)
    await until(lambda: attempt.stdout == b"said")
    kill(pid)
    await until(lambda: not attempt.folder.is_alive())
    assert not attempt.folder.outlived_by_machine()
    attempt.folder.lock.write_text(f"{pid}\nanother boot\n")
    assert attempt.folder.outlived_by_machine()
    finished = finish_dead(attempt.folder, 4711)
    assert (finished.outcome.state, finished.outcome.reason) == ("failed", "agent_lost")
    assert finished.outcome.detail == "its machine was restarted before the attempt had ended"
    assert attempt.system.endswith(
        "tailrace: failed: its machine was restarted before the attempt had ended\n"
    )
    assert [step[:2] for step in attempt.steps] == [("one", "failed"), ("two", "skipped")]


async def test_a_runner_that_never_began(bench: Bench) -> None:
    """The journal is whole all the same: Started, every step skipped, Finished."""
    attempt = bench.attempt("echo never")
    check(attempt)
    assert [fact.kind for fact in attempt.facts] == ["started", "step_ended", "finished"]
    assert attempt.steps == [("one", "skipped", None)]
    assert "the runner could not begin" in attempt.system


async def test_a_runner_that_could_not_read_its_lease(bench: Bench) -> None:
    """What it printed last is in the outcome."""
    attempt = bench.attempt("echo never")
    attempt.folder.lease_file.write_text("{")
    await bench.start(attempt)
    await until(lambda: not attempt.folder.is_alive())
    check(attempt)
    assert attempt.finished is not None
    detail = attempt.finished.outcome.detail
    assert detail is not None
    assert (
        f"attempt folder {attempt.folder.path.name} has no usable lease: the whole file: Invalid JSON"
        in detail
    )


async def test_torn_writes_are_mended(bench: Bench) -> None:
    """A journal's half line and a span's half record, as a crash in mid-write leaves them."""
    attempt = bench.attempt("echo said; sleep 1000")
    pid = await bench.start(attempt)
    await until(lambda: attempt.stdout == b"said\n")
    kill(pid)
    await until(lambda: not attempt.folder.is_alive())
    for file, torn in ((attempt.folder.journal, b'{"time":17'), (attempt.folder.spans, b"\x01\x02\x03")):
        with file.open("ab") as end:
            end.write(torn)
    finish_dead(attempt.folder, 4711)
    assert attempt.stdout == b"said\n"
    assert attempt.steps == [("one", "failed", None)]
    assert attempt.finished is not None


async def test_a_living_runner_is_left_alone(bench: Bench) -> None:
    """It is refused, and the runner goes on to its own end."""
    attempt = bench.attempt("echo ready; sleep 1000", grace_s=0.2)
    await bench.start(attempt)
    await until(lambda: attempt.stdout == b"ready\n")
    with pytest.raises(Conflict, match="a living runner carries it"):
        finish_dead(attempt.folder, 4711)
    assert await send_abort(attempt.folder, "kim")
    finished = await bench.end(attempt)
    assert finished.outcome.state == "aborted"
    assert finish_dead(attempt.folder, 4711) == finished


# Carries an attempt with a runner of which a part is broken: as an error of Tailrace's own would break it.
BROKEN = """
import asyncio, sys
from pathlib import Path
from tailrace.runner import attempt
from tailrace.runner.carry import carry
from tailrace.runner.folder import AttemptFolder

def broken(*_):
    raise KeyError("a part that is missing")

attempt.read_outputs = broken
asyncio.run(carry(AttemptFolder(Path(sys.argv[1]))))
"""


async def test_a_runner_that_fails_is_told_from_one_that_died(own: Bench) -> None:
    """An error of ours ends the step, not the runner: it says which, goes on to `finally` and closes the log itself."""
    attempt = own.attempt("echo work", "echo never", last=(RunStep(name="last", run="echo last"),))
    done = subprocess.run(
        (sys.executable, "-c", BROKEN, str(attempt.folder.path)), check=True, capture_output=True, text=True
    )
    assert "KeyError: 'a part that is missing'" in done.stderr
    finished = attempt.finished
    assert finished is not None
    assert (finished.outcome.state, finished.outcome.reason) == ("failed", "runner_failed")
    assert finished.outcome.detail == "step 'one': the runner failed: KeyError: 'a part that is missing'"
    assert attempt.stdout == b"work\nlast\n"
    assert [state for _, state, _ in attempt.steps] == ["failed", "skipped", "failed"]
