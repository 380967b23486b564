"""A program that is run for its answer is bounded in time and output, and nothing is left of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tailrace.process import OutputTooLong, ProgramMissing, run_program
from tests.support.processes import ended
from tests.support.waiting import wait_for

ENV = {"PATH": os.environ["PATH"]}


async def test_what_it_writes_is_bounded(tmp_path: Path) -> None:
    """Output and complaints alike; just as much as it may is its answer."""
    for to in ("1", "2"):
        with pytest.raises(OutputTooLong, match="more than 1000 bytes"):
            await run_program(
                "sh", "-c", f"yes >&{to}", folder=tmp_path, env=ENV, seconds=60, most_bytes=1000
            )
    done = await run_program(
        "sh",
        "-c",
        "cat; echo why >&2; exit 3",
        folder=tmp_path,
        env=ENV,
        seconds=60,
        told=b"x" * 1000,
        most_bytes=1000,
    )
    assert (done.status, done.output, done.complaint) == (3, b"x" * 1000, "why\n")


async def test_one_that_does_not_read_what_it_is_told_still_answers(tmp_path: Path) -> None:
    """More than a pipe holds."""
    done = await run_program(
        "sh",
        "-c",
        "exec 0<&-; echo done",
        folder=tmp_path,
        env=ENV,
        seconds=60,
        told=bytes(1 << 20),
        most_bytes=100,
    )
    assert done.output == b"done\n"


@pytest.mark.parametrize("most", [None, 1000])
async def test_one_that_takes_too_long_is_killed(tmp_path: Path, most: int | None) -> None:
    """Itself and what it started, whatever that thinks of a polite word."""
    script = 'sh -c "trap : TERM; echo \\$\\$ > pid; while :; do sleep 1; done" & wait'
    with pytest.raises(TimeoutError):
        await run_program("sh", "-c", script, folder=tmp_path, env=ENV, seconds=1, most_bytes=most)
    pid = int((tmp_path / "pid").read_text())
    wait_for(lambda: ended(pid), "the process to be gone")


async def test_one_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProgramMissing, match="there is no no-such-program on this machine's PATH"):
        await run_program("no-such-program", folder=tmp_path, env=ENV, seconds=1)
