"""Times are ms since the epoch inside and ISO 8601 in JSON."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from tailrace.domain.model import Project, iso_time

LAST_MS = 253_402_300_799_999  # the end of the year 9999


@given(ms=st.integers(0, LAST_MS))
@example(ms=LAST_MS)
@example(ms=253_402_300_799_123)
def test_a_time_keeps_every_millisecond(ms: int) -> None:
    shown = iso_time(ms)
    assert shown is not None
    assert (datetime.fromisoformat(shown) - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(
        milliseconds=1
    ) == ms
    assert len(shown) == len("2026-11-21T04:16:10.123Z")


def test_a_time_is_utc_with_milliseconds() -> None:
    assert iso_time(1_795_234_570_123) == "2026-11-21T04:16:10.123Z"
    assert iso_time(0) == "1970-01-01T00:00:00.000Z"
    assert iso_time(None) is None


def test_a_model_shows_times_as_text_in_json_and_keeps_them_as_numbers() -> None:
    project = Project(id=1, name="p", repository="r", has_webhook_secret=False, created_at=1_795_234_570_123)
    assert project.model_dump()["created_at"] == 1_795_234_570_123
    assert project.model_dump(mode="json")["created_at"] == "2026-11-21T04:16:10.123Z"
