"""Moments as people write them."""

from __future__ import annotations

from datetime import datetime, timedelta

from tailrace.cli.client import CallFailed

FORMS = "a time such as 2026-11-21T10:00 (with Z or +02:00; local without), or a duration such as 90s, 10m or 1h30m ago"


def parse_moment(text: str, flag: str, now: datetime) -> int:
    """The moment in ms since the epoch; `now` has a time zone. Raises CallFailed, which names the flag."""
    # Here, because it comes with all of the plan file's model.
    from tailrace.domain.plan.durations import parse_duration

    seconds = parse_duration(text)
    if seconds is not None:
        return int((now - timedelta(seconds=seconds)).timestamp() * 1000)
    try:
        said = datetime.fromisoformat(text)
    except ValueError:
        raise CallFailed(f"{flag} {text!r}: expected {FORMS}") from None
    return int((said if said.tzinfo else said.astimezone()).timestamp() * 1000)
