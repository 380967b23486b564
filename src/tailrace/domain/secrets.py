"""Secrets: what may be one, and which parts of one masking hides."""

from __future__ import annotations

import re

from tailrace.domain.errors import Invalid

SHORTEST = 6
"""Characters. What is shorter is not masked: it would be found, and hidden, in words that have nothing to do with it."""
MAX_VALUE_BYTES = 64 * 1024
MAX_JOB_BYTES = 256 * 1024
"""The most that the secrets of one job may be together: they reach its runner through one pipe."""
MAX_NAME = 100
NAME_RULE = "1 to 100 letters (A to Z, a to z), digits and _, not beginning with a digit or TAILRACE_"

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LINE_END = re.compile(r"\r\n|\r|\n")


def is_name(name: str) -> bool:
    """Whether it can name a secret: it becomes a variable of the job's environment, see NAME_RULE."""
    return len(name) <= MAX_NAME and bool(_NAME.fullmatch(name)) and not name.startswith("TAILRACE_")


def check_value(value: str) -> None:
    """Raises Invalid, which never quotes the value, when it cannot be a secret's."""
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise Invalid("the secret's value holds half of a character: no environment can hold it") from None
    if not value.strip():
        raise Invalid("the secret's value is empty: give one that is not, or remove the secret")
    if "\0" in value:
        raise Invalid("the secret's value holds a NUL character: no environment can hold it")
    if size > MAX_VALUE_BYTES:
        raise Invalid(
            f"the secret's value is {size} bytes: a secret may have {MAX_VALUE_BYTES // 1024} KiB at most"
        )


def masked_parts(value: str) -> list[str]:
    """What masking looks for: the value, and each of its lines, without the blanks around them, where it is long enough."""
    parts = dict.fromkeys(part.strip() for part in (value, *_lines(value)))
    return [part for part in parts if len(part) >= SHORTEST]


def warnings_of(value: str) -> list[str]:
    """Sentences about what masking cannot hide of it; none when it hides all."""
    if len(value.strip()) < SHORTEST:
        return [f"it has fewer than {SHORTEST} characters: it is not masked"]
    short = [number for number, line in enumerate(_lines(value), start=1) if 0 < len(line.strip()) < SHORTEST]
    if not short:
        return []
    which = f"line {short[0]} has" if len(short) == 1 else f"lines {_listed(short)} have"
    return [f"{which} fewer than {SHORTEST} characters: not masked where it is printed alone"]


def _lines(value: str) -> list[str]:
    return _LINE_END.split(value)


def _listed(numbers: list[int]) -> str:
    shown = [str(number) for number in numbers[:10]]
    return ", ".join(shown) if len(numbers) <= 10 else f"{', '.join(shown)} and {len(numbers) - 10} more"
