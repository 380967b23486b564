"""What JMESPath thinks of JSON: kinds, truth, equality, and how JSON is written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from math import isfinite
from typing import cast

from tailrace.domain.jmespath.faults import Fault
from tailrace.domain.jmespath.work import Work

MAX_NESTED = 200
"""Levels of a value that is found or written; JSON that is read has no more."""

_NUMBERS = (int, float)
_WRITTEN_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?P<real>(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)")
_MOST_DIGITS = 1000  # characters of a number in a text: to read more takes ever longer


def kind_of(value: object) -> str:
    """JMESPath's word for it: null, boolean, number, string, array or object."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def is_number(value: object) -> bool:
    """To Python true and false are numbers too; to JSON they are not."""
    return isinstance(value, _NUMBERS) and not isinstance(value, bool)


def is_false(value: object) -> bool:
    """null, false, and an empty string, array or object; 0 is true."""
    return not value and not is_number(value)


def is_same(one: object, other: object, work: Work) -> bool:
    """Whether two values are the same JSON, however deep."""
    pairs = [(one, other)]
    while pairs:
        left, right = pairs.pop()
        work.pay(1)
        if isinstance(left, list) and isinstance(right, list):
            elements, others = cast("list[object]", left), cast("list[object]", right)
            if len(elements) != len(others):
                return False
            work.pay(len(elements))
            pairs.extend(zip(elements, others, strict=True))
        elif isinstance(left, dict) and isinstance(right, dict):
            fields, their = cast("dict[str, object]", left), cast("dict[str, object]", right)
            work.pay(len(fields))
            if fields.keys() != their.keys():
                return False
            pairs.extend((fields[name], their[name]) for name in fields)
        elif not _is_same_scalar(cast("object", left), right, work):
            return False
    return True


def _is_same_scalar(left: object, right: object, work: Work) -> bool:
    if type(left) is not type(right):
        return is_number(left) and is_number(right) and left == right
    if isinstance(left, str) and len(left) == len(cast("str", right)):
        work.pay_text(len(left))
    return left == right


def measure(value: object, work: Work) -> None:
    """Pay for a value as large as it is when it is written down; raises Fault when it is too large or too deep.

    An expression can name one value many times over, and so make what is small here endless on paper.
    """
    level: list[object] = [value]
    for _ in range(MAX_NESTED):
        below: list[object] = []
        for one in level:
            if isinstance(one, str):
                work.pay_text(len(one))
            elif isinstance(one, list | dict):
                inner = cast("dict[str, object] | list[object]", one)
                work.pay(len(inner))
                below.extend(inner.values() if isinstance(inner, dict) else inner)
        if not below:
            return
        level = below
    raise Fault(None, f"what is found is nested deeper than {MAX_NESTED} levels")


def written(value: object, work: Work) -> str:
    """The value as JSON, without spaces."""
    measure(value, work)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def read_number(text: str) -> int | float | None:
    """The number that a text is, as JSON writes numbers; None when it is none, or too large to be one."""
    found = _WRITTEN_NUMBER.fullmatch(text) if len(text) <= _MOST_DIGITS else None
    if found is None:
        return None
    number = float(text) if found["real"] else int(text)
    return number if isinstance(number, int) or isfinite(number) else None


def pay_texts(values: Iterable[object], work: Work) -> None:
    """Pay for the strings among these."""
    for value in values:
        if isinstance(value, str):
            work.pay_text(len(value))
