"""Cron expressions: when their ticks are, in a time zone, over its changes of daylight saving time too.

    [second] minute hour day-of-month month day-of-week

What two fields of days mean together, and what a clock that is put forward or back does, is as in Debian's cron
(crontab(5) and cron(8) there), which has been doing it longest.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import NamedTuple
from zoneinfo import ZoneInfo

from tailrace.domain.errors import Invalid

LONGEST = 200
"""Characters of an expression."""

GRACE_MS = 60 * 1000
"""A tick that a server sees to within this time was not missed."""

_MOST_COUNTED = 1000
_YEARS = 50
"""A day that comes at all (29 February, on a Sunday) comes within these."""
_EPOCH = datetime(1970, 1, 1)
_PROBE = 6 * 3600  # seconds; no zone changes its offset and changes it back within these
_MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_PART = re.compile(r"(?:(?P<all>\*)|(?P<low>\w+)(?:-(?P<high>\w+))?)(?:/(?P<step>[0-9]{1,4}))?", re.ASCII)


class _Field(NamedTuple):
    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()


_SECOND = _Field("second", 0, 59)
_FIELDS = (
    _SECOND,
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 7, _DAYS),
)


class Due(NamedTuple):
    """What a schedule asks for now: a run of the tick at `tick` (None: none), and to be asked again at `next_at` (None: never).

    `missed` are ticks that came to nothing, because nobody was there. Times are in ms since the epoch.
    """

    tick: int | None
    next_at: int | None
    missed: int = 0


@dataclass(frozen=True)
class Cron:
    """A schedule. Each field holds its values in order; of the week's days 0 is Sunday.

    `last_day` asks for the last day of the month too. `either` says that a day matches when it is among `days` or among
    `weekdays`; otherwise it must be among both. `fixed` says that the ticks have times of day of their own (neither the minute
    nor the hour began with `*`): one that a clock put forward skips comes right after, and one that a clock put back
    shows twice comes once. All others follow the clock on the wall.
    """

    text: str
    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    last_day: bool
    months: tuple[int, ...]
    weekdays: frozenset[int]
    either: bool
    fixed: bool

    def next_after(self, at_ms: int, zone: ZoneInfo) -> int | None:
        """The first tick after `at_ms` (both in ms since the epoch); None when none comes within fifty years."""
        at = at_ms // 1000
        offset = _offset(at, zone)
        while True:
            local = self._next_local(_local(at + 1 + offset))
            if local is None:
                return None
            tick = _seconds(local) - offset
            change = _change(at, tick, offset, zone)
            if change is None:
                if not (self.fixed and datetime.fromtimestamp(tick, zone).fold):
                    return tick * 1000
                at = tick
                continue
            changed = _offset(change, zone)
            if self.fixed and local < _local(change + changed):  # the clock never shows it
                return change * 1000
            at, offset = change - 1, changed

    def ticks(self, after_ms: int, zone: ZoneInfo) -> Iterator[int]:
        """All ticks after `after_ms`, in order, in ms since the epoch."""
        tick = self.next_after(after_ms, zone)
        while tick is not None:
            yield tick
            tick = self.next_after(tick, zone)

    def first_ticks(self, count: int, after_ms: int, zone: ZoneInfo) -> list[int]:
        """The next `count` ticks, or as many as come."""
        return list(islice(self.ticks(after_ms, zone), count))

    def due(self, expected: int, now: int, zone: ZoneInfo, *, once: bool) -> Due:
        """What to do at `now`, when the tick at `expected` is the next that nobody has seen to.

        A tick is missed when it is more than GRACE_MS late. `once`: one is made up for, for all of them.
        """
        if expected > now:
            return Due(None, expected)
        if now - expected <= GRACE_MS:
            return Due(expected, self.next_after(expected, zone))
        missed, newest, tick = 0, expected, expected
        while tick is not None and now - tick > GRACE_MS:
            if missed == _MOST_COUNTED:  # a schedule of seconds after a long night
                tick = self.next_after(now - GRACE_MS - 1, zone)
                break
            missed, newest = missed + 1, tick
            tick = self.next_after(tick, zone)
        if not once:
            return Due(None, tick, missed)
        return Due(newest, tick, missed - 1)

    def _next_local(self, start: datetime) -> datetime | None:
        """The first local time from `start` on that matches."""
        year, month = start.year, start.month
        while year <= min(start.year + _YEARS, 9998):
            if month in self.months:
                for day in self._days_in(year, month):
                    if day < start.date():
                        continue
                    found = self._time_from(start.time() if day == start.date() else time())
                    if found is not None:
                        return datetime.combine(day, found)
            year, month = (year + 1, 1) if month == 12 else (year, month + 1)
        return None

    def _days_in(self, year: int, month: int) -> Iterator[date]:
        first = date(year, month, 1)
        last = (date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)).day
        for number in range(1, last + 1):
            day = first.replace(day=number)
            among_days = number in self.days or (self.last_day and number == last)
            among_weekdays = day.isoweekday() % 7 in self.weekdays
            if (among_days or among_weekdays) if self.either else (among_days and among_weekdays):
                yield day

    def _time_from(self, start: time) -> time | None:
        """The first time of day from `start` on."""
        for hour in _from(self.hours, start.hour):
            for minute in _from(self.minutes, start.minute if hour == start.hour else 0):
                same = (hour, minute) == (start.hour, start.minute)
                for second in _from(self.seconds, start.second if same else 0):
                    return time(hour, minute, second)
        return None


def parse_cron(expression: str) -> Cron:
    """A schedule of five fields, or of six with the second first; or one of @hourly, @daily, @weekly, @monthly, @yearly.

    Raises Invalid, which names the field, what was found and what is allowed.
    """
    text = " ".join(expression.split())
    if len(text) > LONGEST:
        raise Invalid(f"cron expression: it has {len(text)} characters, at most {LONGEST} are allowed")
    if text.startswith("@") and text.lower() not in _MACROS:
        raise Invalid(
            f"cron expression {text!r}: expected one of {', '.join(_MACROS)}, or five or six fields"
        )
    words = _MACROS.get(text.lower(), text).split(" ")
    if len(words) not in (5, 6) or not text:
        raise Invalid(
            f"cron expression {text!r}: found {len(words) if text else 0} fields, expected five (minute, hour, day of"
            " month, month, day of week) or six (with the second first)"
        )
    if len(words) == 5:
        words.insert(0, "0")
    last_day = any(part == "L" for part in words[3].upper().split(","))
    days_text = ",".join(part for part in words[3].split(",") if part.upper() != "L")
    texts = [*words[:3], days_text, *words[4:]]
    found = [
        () if field.name == "day of month" and last_day and not word else _read(field, word)
        for field, word in zip(_FIELDS, texts, strict=True)
    ]
    cron = Cron(
        text=text,
        seconds=found[0],
        minutes=found[1],
        hours=found[2],
        days=found[3],
        last_day=last_day,
        months=found[4],
        weekdays=frozenset(day % 7 for day in found[5]),
        either=not words[3].startswith("*") and not words[5].startswith("*"),
        fixed=not words[1].startswith("*") and not words[2].startswith("*"),
    )
    if cron.next_after(0, ZoneInfo("UTC")) is None:
        raise Invalid(f"cron expression {text!r}: there is no such day, so it would never tick")
    return cron


def read_zone(name: str) -> ZoneInfo:
    """The time zone of that name, as `Europe/Berlin` or `UTC`; raises Invalid."""
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # no such zone, a folder of zones, a path that leads elsewhere
        raise Invalid(
            f"time zone {name[:100]!r}: this server knows none of that name;"
            " expected one such as UTC, Europe/Berlin or Asia/Shanghai"
        ) from None


def _read(field: _Field, text: str) -> tuple[int, ...]:
    values: set[int] = set()
    for part in text.split(","):
        values.update(_read_part(field, part))
    return tuple(sorted(values))


def _read_part(field: _Field, part: str) -> range:
    found = _PART.fullmatch(part)
    if found is None:
        raise _wrong(field, part, f"expected {_allowed(field)}")
    step = int(found["step"] or 1)
    if found["all"]:
        low, high = field.least, 6 if field.names == _DAYS else field.most
    else:
        low = _value(field, part, found["low"])
        if found["high"]:
            high = _value(field, part, found["high"])
            if found["high"].lower() == "sun" and low > 0:
                high = 7  # the week's last day as well as its first
        else:
            high = field.most if found["step"] else low
    if low > high:
        raise _wrong(field, part, "it ends before it begins; write it as two, such as 5-6,0-1")
    if not 1 <= step <= field.most:
        raise _wrong(field, part, f"a step is 1 to {field.most}")
    return range(low, high + 1, step)


def _value(field: _Field, part: str, word: str) -> int:
    if word.lower() in field.names:
        return field.names.index(word.lower()) + field.least
    if not word.isdigit() or len(word) > 4 or not field.least <= int(word) <= field.most:
        raise _wrong(field, part, f"expected {_allowed(field)}")
    return int(word)


def _allowed(field: _Field) -> str:
    names = f" (or {field.names[0].upper()} to {field.names[-1].upper()})" if field.names else ""
    last = ", L for the last day" if field.name == "day of month" else ""
    return f"{field.least} to {field.most}{names}, *{last}, ranges such as 1-5, steps such as */2, lists with commas"


def _wrong(field: _Field, part: str, why: str) -> Invalid:
    return Invalid(f"cron expression: {field.name} {part!r}: {why}")


def _from(values: Sequence[int], least: int) -> Sequence[int]:
    return values[bisect_left(values, least) :]


def _local(seconds: int) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)


def _seconds(local: datetime) -> int:
    return (local - _EPOCH) // timedelta(seconds=1)


def _offset(at: int, zone: ZoneInfo) -> int:
    """Seconds by which the zone is ahead of UTC."""
    offset = datetime.fromtimestamp(at, zone).utcoffset()
    assert offset is not None
    return offset // timedelta(seconds=1)


def _change(after: int, until: int, offset: int, zone: ZoneInfo) -> int | None:
    """The first second after `after`, `until` included, that has another offset."""
    known = after
    while known < until:
        probe = min(known + _PROBE, until)
        if _offset(probe, zone) != offset:
            while probe - known > 1:
                middle = (known + probe) // 2
                if _offset(middle, zone) == offset:
                    known = middle
                else:
                    probe = middle
            return probe
        known = probe
    return None
