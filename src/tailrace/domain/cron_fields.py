"""The fields of a cron expression: lists of values, ranges and steps."""

from __future__ import annotations

import re
from typing import NamedTuple

from tailrace.domain.errors import Invalid

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_PART = re.compile(r"(?:(?P<all>\*)|(?P<low>\w+)(?:-(?P<high>\w+))?)(?:/(?P<step>[0-9]{1,4}))?", re.ASCII)


class Field(NamedTuple):
    """What may stand in a field: values from `least` to `most`, or their names; `more` is what else, for a sentence."""

    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()
    more: str = ""


SECOND = Field("second", 0, 59)
MINUTE = Field("minute", 0, 59)
HOUR = Field("hour", 0, 23)
DAY = Field("day of month", 1, 31, more=", L for the last day, LW for the last from Monday to Friday")
MONTH = Field("month", 1, 12, _MONTHS)
WEEKDAY = Field("day of week", 0, 7, _DAYS, more=", MON#2 for the second Monday, 5L for the last Friday")


def read_field(field: Field, text: str) -> tuple[int, ...]:
    """Its values, in order. Raises Invalid, which names the field, what was found and what is allowed."""
    values: set[int] = set()
    for part in text.split(","):
        values.update(_read_part(field, part))
    return tuple(sorted(values))


def read_value(field: Field, part: str, word: str) -> int:
    """One value, in a part of the field. Raises Invalid."""
    if word.lower() in field.names:
        return field.names.index(word.lower()) + field.least
    if not word.isdigit() or len(word) > 4 or not field.least <= int(word) <= field.most:
        raise refused(field, part, f"expected {_allowed(field)}")
    return int(word)


def refused(field: Field, part: str, why: str) -> Invalid:
    """What is said of a part that is not allowed."""
    return Invalid(f"cron expression: {field.name} {part!r}: {why}")


def _read_part(field: Field, part: str) -> range:
    found = _PART.fullmatch(part)
    if found is None:
        raise refused(field, part, f"expected {_allowed(field)}")
    step = int(found["step"] or 1)
    if found["all"]:
        low, high = field.least, 6 if field.names == _DAYS else field.most
    else:
        low = read_value(field, part, found["low"])
        if found["high"]:
            high = read_value(field, part, found["high"])
            if found["high"].lower() == "sun" and low > 0:
                high = 7  # the week's last day as well as its first
        else:
            high = field.most if found["step"] else low
    if low > high:
        raise refused(field, part, "it ends before it begins; write it as two, such as 5-6,0-1")
    if not 1 <= step <= field.most:
        raise refused(field, part, f"a step is 1 to {field.most}")
    return range(low, high + 1, step)


def _allowed(field: Field) -> str:
    names = f" (or {field.names[0].upper()} to {field.names[-1].upper()})" if field.names else ""
    return (
        f"{field.least} to {field.most}{names}, *{field.more}, ranges such as 1-5, steps such as */2,"
        " lists with commas"
    )
