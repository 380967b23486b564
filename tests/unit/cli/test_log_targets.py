"""Which logs a run's view gives, and how moments are read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tailrace.cli.client import CallFailed
from tailrace.cli.log_targets import Target, exit_status
from tailrace.cli.moments import parse_moment


def job(
    name: str, *attempts: tuple[int, str], state: str = "running", codes: tuple[int | None, ...] = ()
) -> dict[str, Any]:
    return {
        "name": name,
        "state": state,
        "attempts": [
            {
                "number": number,
                "log": number * 10,
                "state": of,
                "exit_code": codes[at] if codes else None,
                "steps": [{"index": 0, "name": "build"}],
            }
            for at, (number, of) in enumerate(attempts)
        ],
    }


def run(*jobs: dict[str, Any], state: str = "running") -> dict[str, Any]:
    return {"id": 1, "state": state, "jobs": list(jobs)}


def test_the_newest_attempt_is_shown_and_those_after_it() -> None:
    """One that has not begun has no log."""
    seen = run(job("a", (1, "failed"), (2, "running"), (3, "pending")))
    assert [(s.log, s.name) for s in Target(1).sources(seen, set())] == [(20, "a/2")]
    seen = run(job("a", (1, "failed"), (2, "failed"), (3, "running")))
    assert [s.log for s in Target(1).sources(seen, {20})] == [20, 30]
    assert [s.log for s in Target(1, "a", 1).sources(seen, set())] == [10]
    assert Target(1).sources(run(job("a", (1, "pending"))), set()) == []
    assert Target(1).sources(seen, set())[0].steps == {0: "build"}
    with pytest.raises(CallFailed, match="it has a"):
        Target(1, "b").sources(seen, set())


def test_an_attempt_that_there_is_not_is_refused_by_name() -> None:
    """It says which there are."""
    seen = run(job("a", (1, "failed"), (2, "pending")), job("b", (1, "passed")), job("c"))
    for target in (Target(1), Target(1, "a"), Target(1, "a", 2), Target(1, "b", 1)):
        target.check_attempt(seen)
    for target, words in (
        (Target(1, "a", 9), "job a of run 1 has no attempt 9: it has attempts 1 to 2"),
        (Target(1, "b", 2), "job b of run 1 has no attempt 2: it has attempt 1 alone"),
        (Target(1, "c", 1), "job c of run 1 has no attempt 1: it has none yet"),
    ):
        with pytest.raises(CallFailed, match=words):
            target.check_attempt(seen)


@pytest.mark.parametrize(
    ("target", "seen", "ended"),
    [
        (Target(1), run(job("a", (1, "passed"), state="passed"), job("b")), False),
        (Target(1), run(job("a", (1, "passed"), state="passed"), state="passed"), True),
        (Target(1, "a"), run(job("a", (1, "passed"), state="passed"), job("b")), True),
        (Target(1, "a"), run(job("a", (1, "failed"), state="pending"), job("b")), False),
        (Target(1, "a", 1), run(job("a", (1, "failed"), state="pending")), True),
        (Target(1, "a", 2), run(job("a", (1, "failed"), state="pending")), False),
        (Target(1, "a", 2), run(job("a", (1, "failed"), state="failed"), state="failed"), True),
        (Target(1, "a"), run(state="planning"), False),
        (Target(1, "a"), run(state="failed"), True),
    ],
)
def test_when_no_more_logs_come(target: Target, seen: dict[str, Any], ended: bool) -> None:
    """A run may go on after the job that is followed."""
    assert target.ended(seen) is ended


def test_the_exit_status_of_jobs() -> None:
    """0 passed, 130 aborted, else the exit code of the one that failed."""
    passed, failed = (
        job("a", (1, "passed"), state="passed", codes=(0,)),
        job("b", (1, "failed"), state="failed", codes=(7,)),
    )
    aborted = job("c", (1, "aborted"), state="aborted", codes=(None,))
    assert exit_status([passed]) == 0
    assert exit_status([passed, failed, aborted]) == 7
    assert exit_status([passed, aborted]) == 130
    assert exit_status([job("d", state="failed")]) == 1


def test_moments() -> None:
    """So long ago, or a time with its zone; anything else is refused by name."""
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    noon = int(now.timestamp() * 1000)
    assert parse_moment("90s", "--since", now) == noon - 90_000
    assert parse_moment("1h30m", "--since", now) == noon - 5_400_000
    assert parse_moment("2026-11-21T12:00:00.250Z", "--since", now) == noon + 250
    assert parse_moment("2026-11-21T14:00+02:00", "--since", now) == noon
    assert parse_moment("2026-11-21T12:00", "--since", now) == int(
        datetime(2026, 11, 21, 12).timestamp() * 1000
    )
    with pytest.raises(CallFailed, match="--until 'noon'"):
        parse_moment("noon", "--until", now)
