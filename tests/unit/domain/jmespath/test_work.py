"""No expression on any JSON takes much time or room: it pays before it begins."""

from __future__ import annotations

from typing import Any

import pytest

from tailrace.domain.jmespath import Fault, Work, parse
from tailrace.domain.jmespath.values import MAX_NESTED, measure

MANY: dict[str, Any] = {
    "list": list(range(5000)),
    "rows": [{"n": n, "t": str(n)} for n in range(5000)],
    "text": "x" * 100_000,
    "same": "x" * 99_999 + "y",
    "object": {str(n): n for n in range(5000)},
    "texts": ["x" * 1000] * 100,
    "lists": [[0] * 1000] * 5,
}


@pytest.mark.parametrize(
    "text",
    [
        "list[*]",
        "list[?@ > `1`]",
        "list[1:]",
        "lists[]",
        "object.*",
        "rows[*].[n, n, n]",
        "map(&[@, @], list)",
        "sort(list)",
        "sort(texts)",
        "sort_by(rows, &n)",
        "max_by(rows, &n)",
        "min_by(rows, &t)",
        "max(list)",
        "max(texts)",
        "sum(list)",
        "reverse(list)",
        "reverse(text)",
        "contains(list, `-1`)",
        "contains(text, 'y')",
        "starts_with(text, same)",
        "ends_with(text, same)",
        "join(text, ['', '', ''])",
        "join('', [text])",
        "keys(object)",
        "values(object)",
        "merge(object, object)",
        "to_string(list)",
        "to_string([text, text])",
        "text == same",
        "text < same",
        "list == list",
        "object == object",
        "[list] == [list]",
    ],
)
def test_whatever_handles_much_pays_for_it(text: str) -> None:
    """As much as was handled: enough of it for anything, too little for nothing."""
    node = parse(text)
    node.find(MANY, Work(100_000))
    with pytest.raises(Fault, match="more than 4000 steps"):
        node.find(MANY, Work(4000))


@pytest.mark.parametrize(
    "text",
    [
        "[@, @]" + " | [@, @]" * 100,
        "[@, @]" + " | [@, @]" * 100 + " | to_string(@)",
        "[@, @]" + " | [@[], @[]] | [] " * 60,
        "[text, text]" + " | [join('', @), join('', @)]" * 30,
        "[list, list]" + " | [[], []] | map(&[@, @], @) | []" * 25,
        "{a: @, b: @}" + " | {a: @, b: @}" * 60 + " | @ == @",
    ],
)
def test_what_doubles_itself_again_and_again_ends(text: str) -> None:
    """Each is 2 to the power of many when it is written down."""
    with pytest.raises(Fault, match="steps on this JSON"):
        _found_and_measured(text)


def _found_and_measured(text: str) -> None:
    work = Work()
    measure(parse(text).find(MANY, work), work)


def test_what_is_found_is_not_deeper_than_can_be_written() -> None:
    deep: list[object] = []
    for _ in range(MAX_NESTED - 1):
        deep = [deep]
    assert parse("to_string(@)").find(deep, Work()) == "[" * MAX_NESTED + "]" * MAX_NESTED
    with pytest.raises(Fault, match=f"deeper than {MAX_NESTED} levels"):
        parse("to_string([@])").find(deep, Work())


def test_deep_values_are_compared_without_end_of_stack() -> None:
    one: list[object] = []
    other: list[object] = []
    for _ in range(100_000):
        one, other = [one], [other]
    assert parse("[0] == [1]").find([one, other], Work()) is True
    while one:  # by hand: to forget it at once takes as much stack as it is deep
        one, other = one.pop(), other.pop()  # type: ignore[assignment]
