"""The days of a cron expression: two fields of it, which together say whether a day is one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from tailrace.domain.cron_fields import DAY, WEEKDAY, read_field, read_value, refused

_NTH = re.compile(r"(?P<day>\w+)#(?P<nth>[0-9]{1,4})|(?P<last>[0-9]{1,4})L", re.ASCII | re.IGNORECASE)
_WEEKS = 5  # a month has no day of the week more often


class Nth(NamedTuple):
    """The first to fifth of a day of the week in a month (0 is Sunday); `nth` None: the last."""

    weekday: int
    nth: int | None


@dataclass(frozen=True)
class Days:
    """`numbers` are days of the month, `weekdays` of the week (0 is Sunday), and `nth_weekdays` such as the second Monday.

    `last` asks for the last day of the month too, `last_workday` for the last that is neither Saturday nor Sunday. `either`
    says that a day matches when one of both fields says so; otherwise both must.
    """

    numbers: tuple[int, ...]
    last: bool
    last_workday: bool
    weekdays: frozenset[int]
    nth_weekdays: frozenset[Nth]
    either: bool

    def in_month(self, year: int, month: int) -> Iterator[date]:
        """Those of a month, in order."""
        last = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
        workday = last.day - max(0, last.isoweekday() - 5)
        for number in range(1, last.day + 1):
            day = last.replace(day=number)
            by_number = (
                number in self.numbers
                or (self.last and number == last.day)
                or (self.last_workday and number == workday)
            )
            by_weekday = self._is_weekday(day, is_last=number + 7 > last.day)
            if (by_number or by_weekday) if self.either else (by_number and by_weekday):
                yield day

    def _is_weekday(self, day: date, *, is_last: bool) -> bool:
        weekday = day.isoweekday() % 7
        if weekday in self.weekdays or not self.nth_weekdays:
            return weekday in self.weekdays
        nth = Nth(weekday, (day.day + 6) // 7)
        return nth in self.nth_weekdays or (is_last and Nth(weekday, None) in self.nth_weekdays)


def read_days(days: str, weekdays: str) -> Days:
    """Both fields. Raises Invalid, which names the field, what was found and what is allowed."""
    day_parts, weekday_parts = days.split(","), weekdays.split(",")
    lasts = {part.upper() for part in day_parts} & {"L", "LW"}
    numbers = [part for part in day_parts if part.upper() not in lasts]
    found = {part: match for part in weekday_parts if (match := _NTH.fullmatch(part))}
    plain = [part for part in weekday_parts if part not in found]
    return Days(
        numbers=read_field(DAY, ",".join(numbers)) if numbers else (),
        last="L" in lasts,
        last_workday="LW" in lasts,
        weekdays=frozenset(day % 7 for day in (read_field(WEEKDAY, ",".join(plain)) if plain else ())),
        nth_weekdays=frozenset(_read_nth(part, match) for part, match in found.items()),
        # As in Debian's cron, which asks for the first character.
        either=not days.startswith("*") and not weekdays.startswith("*"),
    )


def _read_nth(part: str, match: re.Match[str]) -> Nth:
    if match["last"]:
        return Nth(read_value(WEEKDAY, part, match["last"]) % 7, None)
    weekday, nth = read_value(WEEKDAY, part, match["day"]) % 7, int(match["nth"])
    if not 1 <= nth <= _WEEKS:
        raise refused(WEEKDAY, part, f"after # comes 1 to {_WEEKS}")
    return Nth(weekday, nth)
