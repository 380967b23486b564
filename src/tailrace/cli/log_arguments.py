"""The flags of `tailrace logs`, read and checked; apart from them, because other commands start without this."""

from __future__ import annotations

from datetime import UTC, datetime

from tailrace.cli.client import CallFailed
from tailrace.cli.log_wish import LogWish, streams_of
from tailrace.cli.logs import LogFlags
from tailrace.cli.moments import parse_moment


def read_wish(flags: LogFlags) -> LogWish:
    """What the flags ask for; raises CallFailed, which names the flag."""
    now = datetime.now(UTC)
    wish = LogWish(
        start=_not_negative(flags.start, "--from"),
        tail=_not_negative(flags.tail, "--tail"),
        since=None if flags.since is None else parse_moment(flags.since, "--since", now),
        until=None if flags.until is None else parse_moment(flags.until, "--until", now),
        grep=flags.grep,
        ignore_case=flags.ignore_case,
        step=flags.step,
        streams=streams_of(flags.stream),
        timestamps=flags.timestamps,
        raw=flags.raw,
        json=flags.json,
        settled=flags.settled,
    )
    wish.check()
    return wish


def _not_negative(number: int | None, flag: str) -> int | None:
    if number is not None and number < 0:
        raise CallFailed(f"{flag} {number}: expected a whole number from 0 on")
    return number


def longest_pause(replay: bool, speed: float, max_pause: str | None) -> float | None:
    """The longest pause of a replay, in seconds; None for as long as it was. Raises CallFailed."""
    if not replay and (speed != 1 or max_pause is not None):
        raise CallFailed("--speed and --max-pause: only with --replay")
    if not 0 < speed < float("inf"):
        raise CallFailed(f"--speed {speed:g}: expected a number above 0; 2 is twice as fast")
    if max_pause is None:
        return None
    from tailrace.domain.plan.durations import DURATION_FORMS, parse_duration

    seconds = parse_duration(max_pause)
    if seconds is None:
        raise CallFailed(f"--max-pause {max_pause!r}: expected {DURATION_FORMS}")
    return seconds
