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
    ("text", "steps"),
    [
        ("list[*]", 5000),
        ("list[?@ > `1`]", 19998),
        ("list[1:]", 9999),
        ("lists[]", 10000),
        ("object.*", 5000),
        ("rows[*].[n, n, n]", 20000),
        ("map(&[@, @], list)", 15000),
        ("sort(list)", 13125),
        ("sort(texts)", 6487),
        ("sort_by(rows, &n)", 13125),
        ("max_by(rows, &n)", 5000),
        ("min_by(rows, &t)", 10000),
        ("min(texts)", 6400),
        ("max(list)", 5000),
        ("max(texts)", 6400),
        ("sum(list)", 5000),
        ("reverse(list)", 5000),
        ("reverse(text)", 6251),
        ("contains(list, `-1`)", 5000),
        ("contains(text, 'y')", 6251),
        ("starts_with(text, same)", 6251),
        ("ends_with(text, same)", 6251),
        ("join(text, ['', '', ''])", 18757),
        ("join('', [text])", 6253),
        ("keys(object)", 5000),
        ("values(object)", 5000),
        ("merge(object, object)", 10000),
        ("to_string(list)", 5000),
        ("to_string([text, text])", 12504),
        ("text == same", 6252),
        ("text < same", 6251),
        ("list == list", 10001),
        ("object == object", 10001),
        ("[list] == [list]", 10003),
    ],
)
def test_whatever_handles_much_pays_for_it(text: str, steps: int) -> None:
    """For each element, for each node that is asked of it, for every sixteen characters: no less and no more."""
    node = parse(text)
    node.find(MANY, Work(steps))
    with pytest.raises(Fault, match=f"more than {steps - 1} steps"):
        node.find(MANY, Work(steps - 1))


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
