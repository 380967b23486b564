"""The functions of JMESPath: what each takes, and what it makes of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

from tailrace.domain.jmespath.faults import Unfit
from tailrace.domain.jmespath.values import is_same, kind_of, pay_texts, read_number, written
from tailrace.domain.jmespath.work import Work


class Expression(NamedTuple):
    """An argument that is evaluated by the function, on values of its choice; each time takes `weight` steps."""

    find: Callable[[object], object]
    weight: int


class Function(NamedTuple):
    """`takes` has for each argument what it may be; `more` says that any number of the last kind may follow.

    `make` gets the work that it has to pay, and then the arguments, which are of the right kinds.
    """

    make: Callable[..., object]
    takes: tuple[tuple[str, ...], ...]
    more: bool = False

    def call(self, given: Sequence[object], work: Work) -> object:
        """What it makes of these, as many as it takes. Raises Unfit, Fault."""
        for number, value in enumerate(given):
            wanted = self.takes[min(number, len(self.takes) - 1)]
            if wanted and not _fits(value, wanted, work):
                found = _shown(value, wanted)
                raise Unfit(f"argument {number + 1} is {found}; expected {' or '.join(map(_phrase, wanted))}")
        return self.make(work, *given)


_COMPARED = 8  # comparisons of a sort, which take Python no more than one step

# Kinds of arguments: JMESPath's words, of arrays also what their elements are; () is anything but an expression.
EXPRESSION = ("expression",)
_ANY = ()
_NUMBER = ("number",)
_STRING = ("string",)
_ARRAY = ("array",)
_OBJECT = ("object",)
_NUMBERS = ("array of numbers",)
_STRINGS = ("array of strings",)
_IN_ORDER = ("array of numbers", "array of strings")


def _fits(value: object, wanted: tuple[str, ...], work: Work) -> bool:
    if isinstance(value, Expression):
        return "expression" in wanted
    if kind_of(value) in wanted:
        return True
    if not isinstance(value, list):
        return False
    elements = cast("list[object]", value)
    work.pay(len(elements))
    kinds = {kind_of(element) for element in elements}
    return any(kinds <= {one.removeprefix("array of ")[:-1]} for one in wanted if one.startswith("array of "))


def _shown(value: Any, wanted: tuple[str, ...]) -> str:
    kind = kind_of(value)
    if kind != "array" or not any(one.startswith("array of ") for one in wanted):
        return _phrase(kind)
    kinds = dict.fromkeys(kind_of(element) for element in value)
    return f"an array of {' and '.join(kinds)}"


def _phrase(kind: str) -> str:
    return kind if kind == "null" else f"{'an' if kind[0] in 'aoe' else 'a'} {kind}"


def _finite(number: float) -> float:
    if isinstance(number, float) and not math.isfinite(number):
        raise Unfit("the number is too large")
    return number


def _abs(work: Work, number: float) -> float:
    return abs(number)


def _avg(work: Work, numbers: list[float]) -> float | None:
    return _divided(_sum(work, numbers), len(numbers)) if numbers else None


def _divided(number: float, by: int) -> float:
    try:
        return number / by
    except OverflowError:
        raise Unfit("the number is too large") from None


def _ceil(work: Work, number: float) -> int:
    return math.ceil(_finite(number))


def _floor(work: Work, number: float) -> int:
    return math.floor(_finite(number))


def _sum(work: Work, numbers: list[float]) -> float:
    try:
        total = sum(numbers)
        float(total)
    except OverflowError:
        raise Unfit("the sum is too large") from None
    return total


def _to_number(work: Work, value: object) -> float | None:
    match value:
        case bool():
            return None
        case int() | float():
            return value
        case str():
            return read_number(value)
        case _:
            return None


def _contains(work: Work, subject: list[object] | str, search: object) -> bool:
    if isinstance(subject, list):
        return any(is_same(element, search, work) for element in subject)
    work.pay_text(len(subject))
    return isinstance(search, str) and search in subject


def _starts_with(work: Work, text: str, beginning: str) -> bool:
    work.pay_text(len(beginning))
    return text.startswith(beginning)


def _ends_with(work: Work, text: str, end: str) -> bool:
    work.pay_text(len(end))
    return text.endswith(end)


def _join(work: Work, between: str, texts: list[str]) -> str:
    work.pay_text(len(between) * len(texts))
    pay_texts(texts, work)
    return between.join(texts)


def _length(work: Work, value: Any) -> int:
    return len(value)


def _reverse(work: Work, value: list[object] | str) -> object:
    if isinstance(value, str):
        work.pay_text(len(value))
    else:
        work.pay(len(value))
    return value[::-1]


def _to_string(work: Work, value: object) -> str:
    return value if isinstance(value, str) else written(value, work)


def _to_array(work: Work, value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else [value]


def _type(work: Work, value: object) -> str:
    return kind_of(value)


def _not_null(work: Work, *values: object) -> object:
    return next((value for value in values if value is not None), None)


def _keys(work: Work, value: dict[str, object]) -> list[str]:
    work.pay(len(value))
    return list(value)


def _values(work: Work, value: dict[str, object]) -> list[object]:
    work.pay(len(value))
    return list(value.values())


def _merge(work: Work, *objects: dict[str, object]) -> dict[str, object]:
    merged: dict[str, object] = {}
    for one in objects:
        work.pay(len(one))
        merged.update(one)
    return merged


def _map(work: Work, each: Expression, array: list[object]) -> list[object]:
    work.pay(len(array) * each.weight)
    return [each.find(element) for element in array]


def _sort(work: Work, array: list[Any]) -> list[Any]:
    pay_texts(array, work)
    _pay_order(len(array), work)
    return sorted(array)


def _max(work: Work, array: list[Any]) -> object:
    pay_texts(array, work)
    return max(array, default=None)


def _min(work: Work, array: list[Any]) -> object:
    pay_texts(array, work)
    return min(array, default=None)


def _sort_by(work: Work, array: list[object], by: Expression) -> list[object]:
    keys = _keys_of(work, array, by)
    _pay_order(len(keys), work)
    return [array[number] for number in sorted(range(len(array)), key=keys.__getitem__)]


def _max_by(work: Work, array: list[object], by: Expression) -> object:
    keys = _keys_of(work, array, by)
    return array[max(range(len(array)), key=keys.__getitem__)] if array else None


def _min_by(work: Work, array: list[object], by: Expression) -> object:
    keys = _keys_of(work, array, by)
    return array[min(range(len(array)), key=keys.__getitem__)] if array else None


def _keys_of(work: Work, array: list[object], by: Expression) -> list[Any]:
    work.pay(len(array) * by.weight)
    keys = [by.find(element) for element in array]
    kinds = dict.fromkeys(map(kind_of, keys))
    if keys and set(kinds) not in ({"number"}, {"string"}):
        raise Unfit(f"its expression finds {' and '.join(kinds)}; expected only numbers, or only strings")
    pay_texts(keys, work)
    return keys


def _pay_order(count: int, work: Work) -> None:
    work.pay(count * count.bit_length() // _COMPARED)


FUNCTIONS = {
    "abs": Function(_abs, (_NUMBER,)),
    "avg": Function(_avg, (_NUMBERS,)),
    "ceil": Function(_ceil, (_NUMBER,)),
    "contains": Function(_contains, (("array", "string"), _ANY)),
    "ends_with": Function(_ends_with, (_STRING, _STRING)),
    "floor": Function(_floor, (_NUMBER,)),
    "join": Function(_join, (_STRING, _STRINGS)),
    "keys": Function(_keys, (_OBJECT,)),
    "length": Function(_length, (("string", "array", "object"),)),
    "map": Function(_map, (EXPRESSION, _ARRAY)),
    "max": Function(_max, (_IN_ORDER,)),
    "max_by": Function(_max_by, (_ARRAY, EXPRESSION)),
    "merge": Function(_merge, (_OBJECT,), more=True),
    "min": Function(_min, (_IN_ORDER,)),
    "min_by": Function(_min_by, (_ARRAY, EXPRESSION)),
    "not_null": Function(_not_null, (_ANY,), more=True),
    "reverse": Function(_reverse, (("string", "array"),)),
    "sort": Function(_sort, (_IN_ORDER,)),
    "sort_by": Function(_sort_by, (_ARRAY, EXPRESSION)),
    "starts_with": Function(_starts_with, (_STRING, _STRING)),
    "sum": Function(_sum, (_NUMBERS,)),
    "to_array": Function(_to_array, (_ANY,)),
    "to_number": Function(_to_number, (_ANY,)),
    "to_string": Function(_to_string, (_ANY,)),
    "type": Function(_type, (_ANY,)),
    "values": Function(_values, (_OBJECT,)),
}
