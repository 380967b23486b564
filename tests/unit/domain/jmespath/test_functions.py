"""What functions make of what they take, and what they say of anything else."""

from __future__ import annotations

from math import inf
from pathlib import Path
from typing import Any

import pytest

from tailrace.domain.jmespath import MAX_DEPTH, MAX_WORK, Fault, Work, parse
from tailrace.domain.jmespath.functions import FUNCTIONS
from tailrace.domain.jmespath.values import MAX_NESTED
from tailrace.domain.picking import MAX_PATH

GIVEN: dict[str, Any] = {
    "text": "größer",
    "numbers": [3, -1.5, 2],
    "texts": ["b", "a", "ä", "B"],
    "mixed": ["a", 1, None],
    "people": [{"name": "Mia", "age": 30}, {"name": "Jo", "age": 25}, {"name": "Al", "age": 30}],
    "object": {"x": 1, "y": None},
    "other": {"y": 2, "z": 3},
    "none": None,
    "yes": True,
    "big": 10**400,
    "inf": inf,
}


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("abs(`-2`)", 2),
        ("avg(numbers)", 3.5 / 3),
        ("avg(`[]`)", None),
        ("ceil(`1.2`)", 2),
        ("ceil(`-1.2`)", -1),
        ("contains(text, 'röß')", True),
        ("contains(text, `1`)", False),
        ("contains(texts, 'a')", True),
        ("contains(`[1, [2]]`, `[2]`)", True),
        ("contains(`[true]`, `1`)", False),
        ("ends_with(text, 'er')", True),
        ("ends_with(text, 'e')", False),
        ("floor(`-1.2`)", -2),
        ("floor(`3`)", 3),
        ("join(', ', texts)", "b, a, ä, B"),
        ("join(',', `[]`)", ""),
        ("keys(object)", ["x", "y"]),
        ("length(text)", 6),
        ("length(people)", 3),
        ("length(object)", 2),
        ("map(&age, people)", [30, 25, 30]),
        ("map(&x, people)", [None, None, None]),
        ("max(numbers)", 3),
        ("max(texts)", "ä"),
        ("max(`[]`)", None),
        ("max_by(people, &age).name", "Mia"),
        ("max_by(people, &name).name", "Mia"),
        ("max_by(`[]`, &a)", None),
        ("merge(object, other)", {"x": 1, "y": 2, "z": 3}),
        ("merge(object)", {"x": 1, "y": None}),
        ("min(numbers)", -1.5),
        ("min_by(people, &age).name", "Jo"),
        ("not_null(none, missing, text)", "größer"),
        ("not_null(none)", None),
        ("reverse(text)", "reßörg"),
        ("reverse(numbers)", [2, -1.5, 3]),
        ("sort(numbers)", [-1.5, 2, 3]),
        ("sort(texts)", ["B", "a", "b", "ä"]),
        ("sort_by(people, &age)[].name", ["Jo", "Mia", "Al"]),
        ("sort_by(people, &name)[].name", ["Al", "Jo", "Mia"]),
        ("sort_by(`[]`, &a)", []),
        ("starts_with(text, 'gr')", True),
        ("sum(numbers)", 3.5),
        ("sum(`[]`)", 0),
        ("to_array(text)", ["größer"]),
        ("to_array(numbers)", [3, -1.5, 2]),
        ("to_number('-1.5e2')", -150.0),
        ("to_number('12')", 12),
        ("to_number(`12`)", 12),
        ("map(&to_number(@), ['1_0', ' 1', '٣', '01', '+1', '.5', 'nan', '1e999', ''])", [None] * 9),
        ("[to_number(yes), to_number(none), to_number(numbers)]", [None, None, None]),
        ("to_string(text)", "größer"),
        ("to_string(object)", '{"x":1,"y":null}'),
        ("to_string([text, yes, `1.5`])", '["größer",true,1.5]'),
        ("map(&type(@), [text, numbers, object, none, yes, `1`, `1.5`])",
         ["string", "array", "object", "null", "boolean", "number", "number"]),
        ("values(object)", [1, None]),
        ("people[?starts_with(name, 'M')].age | [0]", 30),
        ("people[*].length(name)", [3, 2, 2]),
        ("text.length(@)", 6),
    ],
)  # fmt: skip
def test_what_a_function_makes(text: str, made: object) -> None:
    assert parse(text).find(GIVEN, Work()) == made


def test_every_function_of_the_specification_is_there_and_tested() -> None:
    mark = test_what_a_function_makes.pytestmark[0]  # type: ignore[attr-defined]
    texts: list[str] = [case[0] for case in mark.args[1]]
    assert len(FUNCTIONS) == 26
    assert [name for name in FUNCTIONS if not any(f"{name}(" in text for text in texts)] == []


def test_every_function_and_limit_is_in_the_docs() -> None:
    page = (Path(__file__).parents[4] / "docs/webhooks.md").read_text()
    assert [name for name in FUNCTIONS if f"`{name}(" not in page] == []
    assert f"{MAX_PATH:,} characters, with {MAX_DEPTH} expressions in one another" in page
    assert f"{MAX_WORK:,} steps" in page
    assert f"nested {MAX_NESTED} levels at most" in page


@pytest.mark.parametrize(
    ("text", "at", "words"),
    [
        ("none | length(@)", 7, "length(): argument 1 is null; expected a string or an array or an object"),
        ("abs('1')", 0, "abs(): argument 1 is a string; expected a number"),
        ("abs(yes)", 0, "abs(): argument 1 is a boolean; expected a number"),
        ("join(',', numbers)", 0, "join(): argument 2 is an array of number; expected an array of strings"),
        ("sort(mixed)", 0, "argument 1 is an array of string and number and null"),
        ("sort(text)", 0, "argument 1 is a string; expected an array of numbers or an array of strings"),
        ("max(`[true]`)", 0, "argument 1 is an array of boolean"),
        ("merge(object, numbers)", 0, "argument 2 is an array; expected an object"),
        ("sort_by(people, &missing)", 0, "its expression finds null; expected only numbers, or only strings"),
        ("max_by(`[{\"a\": 1}, {\"a\": \"b\"}]`, &a)", 0, "its expression finds number and string"),
        ("min_by(people, &abs(name))", 16, "abs(): argument 1 is a string"),
        ("sum([big, big])", 0, "sum(): the sum is too large"),
        ("sum([big, `1.5`])", 0, "sum(): the sum is too large"),
        ("avg([big])", 0, "avg(): the sum is too large"),
        ("ceil(inf)", 0, "ceil(): the number is too large"),
        ("people[?starts_with(age, 'M')]", 8, "starts_with(): argument 1 is a number"),
    ],
)  # fmt: skip
def test_what_a_function_does_not_take(text: str, at: int, words: str) -> None:
    with pytest.raises(Fault) as fault:
        parse(text).find(GIVEN, Work())
    assert (fault.value.at, words in fault.value.message) == (at, True), fault.value.message


def test_a_function_leaves_what_it_is_given_as_it_is() -> None:
    """The payload is read by many paths."""
    given = {"a": [2, 1], "b": {"x": 1}, "c": {"y": 2}}
    parse("[sort(a), reverse(a), merge(b, c), sort_by(a, &@), a[], b.*]").find(given, Work())
    assert given == {"a": [2, 1], "b": {"x": 1}, "c": {"y": 2}}
