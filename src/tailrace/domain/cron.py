"""Cron expressions: when their ticks are, in a time zone, over its changes of daylight saving time too.

    [second] minute hour day-of-month month day-of-week

What two fields of days mean together, and what a clock that is put forward or back does, is as in Debian's cron
(crontab(5) and cron(8) there), which has been doing it longest.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import islice
from typing import NamedTuple
from zoneinfo import ZoneInfo

from tailrace.domain.cron_days import Days, read_days
from tailrace.domain.cron_fields import HOUR, MINUTE, MONTH, SECOND, read_field
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


class Due(NamedTuple):
    """What a schedule asks for now: a run of the tick at `tick` (None: none), and to be asked again at `next_at` (None: never).

    `missed` are ticks that came to nothing, because nobody was there. Times are in ms since the epoch.
    """

    tick: int | None
    next_at: int | None
    missed: int = 0


@dataclass(frozen=True)
class Cron:
    """A schedule. Each field holds its values in order.

    `fixed` says that the ticks have times of day of their own (neither the minute nor the hour began with `*`): one that a
    clock put forward skips comes right after, and one that a clock put back shows twice comes once. All others follow the
    clock on the wall.
    """

    text: str
    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: Days
    months: tuple[int, ...]
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
                for day in self.days.in_month(year, month):
                    if day < start.date():
                        continue
                    found = self._time_from(start.time() if day == start.date() else time())
                    if found is not None:
                        return datetime.combine(day, found)
            year, month = (year + 1, 1) if month == 12 else (year, month + 1)
        return None

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
    cron = Cron(
        text=text,
        seconds=read_field(SECOND, words[0]),
        minutes=read_field(MINUTE, words[1]),
        hours=read_field(HOUR, words[2]),
        days=read_days(words[3], words[5]),
        months=read_field(MONTH, words[4]),
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
