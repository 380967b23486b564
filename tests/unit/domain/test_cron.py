"""Cron against a walk over every minute, and by hand over changes of daylight saving time."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.domain.cron import Cron, parse_cron, read_zone
from tailrace.domain.errors import Invalid

BERLIN = ZoneInfo("Europe/Berlin")
# Changes of one hour, of half an hour, at midnight, of two hours; one that is put back for a month; and none.
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Havana",
    "Asia/Beirut",
    "Antarctica/Troll",
    "Africa/Casablanca",
    "Asia/Shanghai",
)


def at(text: str, zone: ZoneInfo) -> int:
    """A local time in ms since the epoch; `*` behind it means the second time that the clock shows it."""
    moment = datetime.fromisoformat(text.rstrip("*")).replace(tzinfo=zone, fold=int(text.endswith("*")))
    return int(moment.timestamp()) * 1000


def shown(ticks: list[int], zone: ZoneInfo) -> list[str]:
    """The opposite."""
    moments = [datetime.fromtimestamp(tick / 1000, zone) for tick in ticks]
    return [f"{moment:%m-%d %H:%M}{'*' * moment.fold}" for moment in moments]


def week(expression: str, zone: str, start: str) -> list[str]:
    """The ticks of seven days."""
    info = ZoneInfo(zone)
    first = at(start, info)
    last = at((datetime.fromisoformat(start) + timedelta(days=7)).isoformat(), info)
    found: list[int] = []
    for tick in parse_cron(expression).ticks(first - 1, info):
        if tick >= last:
            return shown(found, info)
        found.append(tick)
    return shown(found, info)


# What the walk asks, written without the code it is compared with.


def matches(cron: Cron, local: datetime) -> bool:
    last = (local.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    day = local.day in cron.days.numbers or (cron.days.last and local.day == last.day)
    weekday = (local.weekday() + 1) % 7 in cron.days.weekdays
    return (
        local.month in cron.months
        and ((day or weekday) if cron.days.either else (day and weekday))
        and local.hour in cron.hours
        and local.minute in cron.minutes
        and local.second in cron.seconds
    )


def walk(cron: Cron, start: datetime, minutes: int, zone: ZoneInfo) -> list[int]:
    """Every tick in so many minutes after `start` (UTC, whole minutes)."""
    found: list[int] = []
    before = start.astimezone(zone)
    for number in range(1, minutes + 1):
        moment = start + timedelta(minutes=number)
        local = moment.astimezone(zone)
        wall = local.replace(tzinfo=None)
        is_tick = matches(cron, wall) and not (cron.fixed and local.fold)
        if cron.fixed:
            skipped = before.replace(tzinfo=None) + timedelta(minutes=1)
            while skipped < wall:  # the clock was put forward over these
                is_tick = is_tick or matches(cron, skipped)
                skipped += timedelta(minutes=1)
        if is_tick:
            found.append(int(moment.timestamp()) * 1000)
        before = local
    return found


@st.composite
def fields(draw: st.DrawFn, least: int, most: int) -> str:
    number = st.integers(least, most)
    low = draw(number)
    high = draw(st.integers(low, most))
    step = draw(st.integers(1, most))
    part = st.sampled_from(
        ["*", f"*/{step}", str(low), f"{low}-{high}", f"{low}-{high}/{step}", f"{low}/{step}"]
    )
    return ",".join(draw(st.lists(part, min_size=1, max_size=2)))


expressions = st.tuples(fields(0, 59), fields(0, 23), fields(1, 28), fields(1, 12), fields(0, 7)).map(
    " ".join
)


@settings(max_examples=120)
@given(
    expression=st.one_of(
        expressions,
        st.tuples(fields(0, 59), fields(0, 5)).map(lambda two: f"{two[0]} {two[1]} * * *"),
    ),
    zone=st.sampled_from(ZONES),
    start=st.sampled_from(
        ["2026-03-28", "2026-10-24", "2027-03-13", "2026-10-31", "2026-04-04", "2026-02-14"]
    ),
    shift=st.integers(0, 2 * 1440),
)
def test_ticks_are_those_that_a_walk_over_every_minute_finds(
    expression: str, zone: str, start: str, shift: int
) -> None:
    """Three days near a change of daylight saving time in one of the zones."""
    info = ZoneInfo(zone)
    first = datetime.fromisoformat(start).replace(tzinfo=UTC) + timedelta(minutes=shift)
    cron = parse_cron(expression)
    end = int((first + timedelta(days=3)).timestamp()) * 1000
    found: list[int] = []
    for tick in cron.ticks(int(first.timestamp()) * 1000, info):
        if tick > end:
            break
        found.append(tick)
    assert found == walk(cron, first, 3 * 1440, info)


@settings(max_examples=40)
@given(
    second=fields(0, 59),
    zone=st.sampled_from(ZONES),
    start=st.integers(at("2026-03-29T00:30", BERLIN), at("2026-03-29T01:20", BERLIN)),
)
def test_seconds_are_those_that_a_walk_over_every_second_finds(second: str, zone: str, start: int) -> None:
    """Five minutes."""
    info = ZoneInfo(zone)
    cron = parse_cron(f"{second} * * * * *")
    whole = start // 1000 * 1000
    expected = [
        whole + number * 1000
        for number in range(1, 301)
        if matches(cron, datetime.fromtimestamp(whole / 1000 + number, info).replace(tzinfo=None))
    ]
    found = cron.first_ticks(len(expected) + 1, whole, info)
    assert [tick for tick in found if tick <= whole + 300_000] == expected


def test_a_week_in_which_the_clock_is_put_forward() -> None:
    """A time that is skipped comes right after; on all other days it is what it was."""
    assert week("30 2 * * *", "Europe/Berlin", "2026-03-26") == [
        "03-26 02:30",
        "03-27 02:30",
        "03-28 02:30",
        "03-29 03:00",
        "03-30 02:30",
        "03-31 02:30",
        "04-01 02:30",
    ]


def test_a_week_in_which_the_clock_is_put_back() -> None:
    """A time that is shown twice comes once, the first time."""
    assert week("30 2 * * *", "Europe/Berlin", "2026-10-22") == [
        "10-22 02:30",
        "10-23 02:30",
        "10-24 02:30",
        "10-25 02:30",
        "10-26 02:30",
        "10-27 02:30",
        "10-28 02:30",
    ]


def test_every_hour_is_every_hour_that_passes() -> None:
    """Where the field began with `*` the wall's clock counts: 23 ticks on one day, 25 on the other, one hour apart."""
    forward = week("15 * * * *", "America/New_York", "2026-03-05")
    back = week("15 * * * *", "America/New_York", "2026-10-29")
    assert len(forward) == 7 * 24 - 1
    assert len(back) == 7 * 24 + 1
    assert [t for t in forward if t.startswith("03-08")][:3] == ["03-08 00:15", "03-08 01:15", "03-08 03:15"]
    assert [t for t in back if t.startswith("11-01")][:3] == ["11-01 00:15", "11-01 01:15", "11-01 01:15*"]


def test_skipped_times_are_made_up_for_once() -> None:
    """Several in the skipped hour, and one at its end, are one tick."""
    found = week("0,20,40 2,3 * * *", "Europe/Berlin", "2026-03-29")
    assert found[:4] == ["03-29 03:00", "03-29 03:20", "03-29 03:40", "03-30 02:00"]


def test_a_tick_is_found_whatever_moment_is_asked_from() -> None:
    """Just before, at, and just after the change."""
    cron = parse_cron("30 2 * * *")
    change = at("2026-03-29T03:00", BERLIN)
    assert cron.next_after(change - 1, BERLIN) == change
    assert shown([cron.next_after(change, BERLIN) or 0], BERLIN) == ["03-30 02:30"]
    back = parse_cron("30 2 * * *")
    assert shown([back.next_after(at("2026-10-25T02:10*", BERLIN), BERLIN) or 0], BERLIN) == ["10-26 02:30"]
    assert shown([back.next_after(at("2026-10-25T02:10", BERLIN), BERLIN) or 0], BERLIN) == ["10-25 02:30"]


def test_a_change_at_midnight_makes_up_for_midnight() -> None:
    """Havana's clock goes from 0:00 to 1:00, and back from 1:00 to 0:00."""
    assert week("0 0 * * *", "America/Havana", "2026-03-07")[:3] == [
        "03-07 00:00",
        "03-08 01:00",
        "03-09 00:00",
    ]
    assert week("0 0 * * *", "America/Havana", "2026-10-31")[:3] == [
        "10-31 00:00",
        "11-01 00:00",
        "11-02 00:00",
    ]


def test_a_change_of_half_an_hour() -> None:
    """Lord Howe's clock goes from 2:00 to 2:30."""
    found = week("10 2 * * *", "Australia/Lord_Howe", "2026-10-03")
    assert found[:3] == ["10-03 02:10", "10-04 02:30", "10-05 02:10"]


@pytest.mark.parametrize(
    ("expression", "first"),
    [
        ("0 20 * * *", ["01-01 20:00", "01-02 20:00"]),
        ("*/20 9-17 * * MON-FRI", ["01-01 09:00", "01-01 09:20"]),
        ("0 0 1,15 * *", ["01-15 00:00", "02-01 00:00"]),
        ("0 0 L * *", ["01-31 00:00", "02-28 00:00"]),
        ("0 0 15,L * *", ["01-15 00:00", "01-31 00:00"]),
        ("0 0 29 2 *", ["02-29 00:00", "02-29 00:00"]),
        ("0 0 * JAN sun", ["01-04 00:00", "01-11 00:00"]),
        ("0 0 * * 7", ["01-04 00:00", "01-11 00:00"]),
        ("0 0 * * FRI-SUN", ["01-02 00:00", "01-03 00:00"]),
        ("0 0 13 * FRI", ["01-02 00:00", "01-09 00:00"]),
        ("0 0 LW * *", ["01-30 00:00", "02-27 00:00"]),
        ("0 0 lw 5,8 *", ["05-29 00:00", "08-31 00:00"]),
        ("0 0 1,LW * *", ["01-30 00:00", "02-01 00:00"]),
        ("0 0 * * MON#2", ["01-12 00:00", "02-09 00:00"]),
        ("0 0 * * thu#2,7#5", ["01-08 00:00", "02-12 00:00"]),
        ("0 0 * 3 0#5", ["03-29 00:00", "03-31 00:00"]),
        ("0 0 * * 5L", ["01-30 00:00", "02-27 00:00"]),
        ("0 0 * * 7l", ["01-25 00:00", "02-22 00:00"]),
        ("0 0 * * 5L,MON", ["01-05 00:00", "01-12 00:00"]),
        ("0 0 20 * 3#1", ["01-07 00:00", "01-20 00:00"]),
        ("0 0 9-9/2 * *", ["01-09 00:00", "02-09 00:00"]),
        ("5/20 * * * *", ["01-01 00:05", "01-01 00:25"]),
        ("@weekly", ["01-04 00:00", "01-11 00:00"]),
        ("30 */15 * * * *", ["01-01 00:00", "01-01 00:15"]),
        ("  0\t0 * *   * ", ["01-02 00:00", "01-03 00:00"]),
    ],
)
def test_what_expressions_mean(expression: str, first: list[str]) -> None:
    """From the first moment of 2026, a Thursday, in UTC."""
    utc = ZoneInfo("UTC")
    assert shown(parse_cron(expression).first_ticks(2, at("2026-01-01", utc), utc), utc) == first


def test_a_day_of_the_month_and_a_day_of_the_week_are_either_unless_one_began_with_a_star() -> None:
    """As in Debian's cron."""
    utc = ZoneInfo("UTC")
    every_other = parse_cron("0 0 */2 * SUN").first_ticks(3, at("2026-01-01", utc), utc)
    assert shown(every_other, utc) == ["01-11 00:00", "01-25 00:00", "02-01 00:00"]


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        ("", "found 0 fields"),
        ("* * * *", "found 4 fields"),
        ("* * * * * * *", "found 7 fields"),
        ("60 * * * *", "minute '60': expected 0 to 59"),
        ("* 24 * * *", "hour '24': expected 0 to 23"),
        ("* * 0 * *", "day of month '0': expected 1 to 31"),
        ("* * * 13 *", "month '13': expected 1 to 12"),
        ("* * * * 8", "day of week '8': expected 0 to 7"),
        ("* * * foo *", "month 'foo'"),
        ("mon * * * *", "minute 'mon'"),
        ("*/0 * * * *", "a step is 1 to 59"),
        ("*/90 * * * *", "a step is 1 to 59"),
        ("30-10 * * * *", "it ends before it begins"),
        ("1,,2 * * * *", "minute ''"),
        ("١ * * * *", "minute '١'"),
        ("* * L * L", "day of week 'L'"),
        ("* * * * 8L", "day of week '8L': expected 0 to 7"),
        ("* * * * MON#6", "day of week 'MON#6': after # comes 1 to 5"),
        ("* * * * 1#0", "after # comes 1 to 5"),
        ("* * 5L * *", "day of month '5L'"),
        ("* * L/2 * *", "day of month 'L/2'"),
        ("* L * * *", "hour 'L'"),
        ("0 0 30 2 *", "never tick"),
        ("@noon", "'@noon'"),
        ("0 " * 150, "at most 200"),
    ],
)
def test_a_wrong_expression_is_refused_by_the_name_of_its_field(expression: str, named: str) -> None:
    """With what was found and what is allowed."""
    with pytest.raises(Invalid) as refused:
        parse_cron(expression)
    assert named in str(refused.value)


@given(st.one_of(st.text(max_size=40), st.text(alphabet="0123456789*/-, LMONjan#?@", max_size=30)))
def test_no_text_makes_the_reader_crash(text: str) -> None:
    """It is a schedule, or it is Invalid."""
    with suppress(Invalid):
        parse_cron(text)


@pytest.mark.parametrize(
    "name", ["", "Berlin", "../../etc/passwd", "/etc/localtime", "Europe", "a" * 5000, "\0"]
)
def test_an_unknown_zone_is_refused(name: str) -> None:
    """Also one that would be another file."""
    with pytest.raises(Invalid, match="time zone"):
        read_zone(name)


def test_known_zones_are_read() -> None:
    """By the names of the IANA database."""
    assert read_zone("Asia/Shanghai").key == "Asia/Shanghai"
