"""Durations as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.domain.plan.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("20m", 1200),
        ("2h", 7200),
        ("1h30m", 5400),
        ("1h1s", 3601),
        ("1h2m3s", 3723),
        ("007", 7),
    ],
)
def test_a_duration_is_a_sum_of_its_parts(text: str, seconds: int):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "1.5h",
        "-1",
        "+1",
        "1m1h",
        "1h 30m",
        "h",
        "1d",
        "1:30",
        "1H",
        "٣s",
        "1_000",
        "9" * 5000,
        "1h\n",
    ],
)
def test_anything_else_is_none(text: str):
    assert parse_duration(text) is None


@given(st.integers(0, 999), st.integers(0, 999), st.integers(0, 999))
def test_hours_minutes_and_seconds_add_up(hours: int, minutes: int, seconds: int):
    assert parse_duration(f"{hours}h{minutes}m{seconds}s") == hours * 3600 + minutes * 60 + seconds
