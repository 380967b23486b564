"""A log takes no more of its job's output than its limit."""

from __future__ import annotations

import sys

from tailrace.domain.plan.model import LogSpec
from tailrace.runner.limit import LogLimit
from tests.unit.runner.bench import Bench

PYTHON = sys.executable


def never(_limit: int) -> None:
    raise AssertionError("the job may go on")


def test_a_log_of_exactly_its_limit_is_whole() -> None:
    """The next byte is one too many."""
    limit = LogLimit(LogSpec(limit=10), never)
    assert limit.take(0, b"0123456789") == b"0123456789"
    assert (limit.reached, limit.dropped) == (False, 0)
    exceeded: list[int] = []
    limit = LogLimit(LogSpec(limit=10), exceeded.append)
    assert limit.take(4, b"0123456789") == b"012345"
    assert limit.take(10, b"more") == b""
    assert (limit.dropped, exceeded) == (8, [10])


def test_the_limit_cuts_no_character() -> None:
    """What is before it and fits is kept; after a cut nothing is, or the text would have a hole without a mark."""
    limit = LogLimit(LogSpec(limit=5, when_full="drop"), never)
    assert limit.take(0, "水水".encode()) == "水".encode()
    assert limit.take(3, b"x") == b""
    assert limit.dropped == 4


async def test_a_job_that_writes_more_is_ended(bench: Bench) -> None:
    """With its cause; what it wrote before is kept, and what came after is counted."""
    attempt = bench.attempt("yes 0123456789", log=LogSpec(limit=100_000))
    finished = await bench.carry(attempt)
    outcome = finished.outcome
    assert (outcome.state, outcome.reason) == ("failed", "log_limit")
    assert outcome.detail == "the job wrote more than the 100,000 bytes that its log may have"
    head = attempt.whole[1].index(b"0123456789")
    assert attempt.stdout == (b"0123456789\n" * 10_000)[: 100_000 - head]
    assert "the log's limit of 100,000 bytes is reached; what follows is not kept" in attempt.system
    assert f"tailrace: {finished.dropped:,} bytes were not kept" in attempt.system
    assert finished.dropped > 0
    assert attempt.processes == []


async def test_a_job_may_go_on_beyond_the_limit(bench: Bench) -> None:
    """Then the log says where bytes are missing and how many; nothing is dropped in silence."""
    script = f"{PYTHON} -c \"import os; os.write(1, b'x' * 3_000_000)\"; exit 3"
    attempt = bench.attempt(script, log=LogSpec(limit=1 << 20, when_full="drop"))
    finished = await bench.carry(attempt)
    assert (finished.outcome.reason, finished.outcome.exit_code) == ("exit_code", 3)
    kept = len(attempt.stdout)
    assert attempt.stdout == b"x" * kept
    assert finished.dropped == 3_000_000 - kept
    system = attempt.system
    begin = system.index("the log's limit of 1 MiB is reached; what follows is not kept")
    assert system.index(f"{finished.dropped:,} bytes were not kept: the log's limit is 1 MiB") > begin
    assert system.endswith("tailrace: failed: step 'one' ended with exit code 3\n")


async def test_a_job_within_its_limit_hears_nothing_of_it(bench: Bench) -> None:
    """Nothing was dropped."""
    attempt = bench.attempt("echo one", log=LogSpec(limit=1000))
    finished = await bench.carry(attempt)
    assert finished.dropped == 0
    assert "limit" not in attempt.system
