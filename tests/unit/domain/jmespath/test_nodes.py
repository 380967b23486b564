"""What expressions find in JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.domain.jmespath import Fault, Work, parse

BUILDS: dict[str, Any] = {
    "name": "shop",
    "count": 3,
    "ratio": 0.5,
    "none": None,
    "yes": True,
    "builds": [
        {"id": 1, "state": "passed", "took": 30, "jobs": [{"os": "linux"}, {"os": "mac"}]},
        {"id": 2, "state": "failed", "took": 12, "jobs": [{"os": "linux", "flaky": True}]},
        {"id": 3, "state": "passed", "took": None, "jobs": []},
        {"id": 4, "draft": True},
    ],
    "labels": {"team": {"lead": "Mia"}, "size": {"lead": None}, "text": "x"},
    "nested": [[1, 2], 3, None, [[4]]],
    "zero": 0,
    "empty": {"text": "", "list": [], "object": {}, "no": False},
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("builds[*].id", [1, 2, 3, 4]),
        ("builds[*].took", [30, 12]),
        ("builds[*].jobs[*].os", [["linux", "mac"], ["linux"], []]),
        ("builds[*].jobs[].os", ["linux", "mac", "linux"]),
        ("builds[].jobs[0].os", ["linux", "linux"]),
        ("builds[*].jobs | [0]", [{"os": "linux"}, {"os": "mac"}]),
        ("builds[-1].id", 4),
        ("builds[4].id", None),
        ("builds[99999999999999999999]", None),
        ("name[0]", None),
        ("name[*]", None),
        ("labels[*]", None),
        ("labels.*.lead", ["Mia"]),
        ("builds.*", None),
        ("*.lead", []),
        ("nested[]", [1, 2, 3, [4]]),
        ("nested[][]", [1, 2, 3, 4]),
        ("builds[1:3].id", [2, 3]),
        ("builds[:-2].id", [1, 2]),
        ("builds[::-1].id", [4, 3, 2, 1]),
        ("builds[3:0:-2].id", [4, 2]),
        ("builds[10:]", []),
        ("name[1:]", None),
        ("nested[0][:1]", [1]),
        ("builds[?state == 'passed'].id", [1, 3]),
        ("builds[?state != 'passed'].id", [2, 4]),
        ("builds[?draft].id", [4]),
        ("builds[?!draft].id", [1, 2, 3]),
        ("builds[?!jobs[0].flaky].id", [1, 3, 4]),
        ("builds[?took > `12`].id", [1]),
        ("builds[?took >= `12` && state == 'failed'].id", [2]),
        ("builds[?took < `13` || draft].id", [2, 4]),
        ("builds[?jobs[?os == 'mac']].id", [1]),
        ("builds[?id == `2`] | [0].state", "failed"),
        ("name[?a]", None),
        ("builds[0].[id, none, state]", [1, None, "passed"]),
        ("builds[0].{number: id, how: state}", {"number": 1, "how": "passed"}),
        ("builds[?took].{id: id, os: jobs[].os | [0]}", [{"id": 1, "os": "linux"}, {"id": 2, "os": "linux"}]),
        ("none.[a, b]", None),
        ("none.{a: b}", None),
        ("[missing, none]", [None, None]),
        ("empty.text || empty.list || empty.object || empty.no || none || name", "shop"),
        ("empty.text || empty.no", False),
        ("zero || name", 0),
        ("name && count", 3),
        ("name && empty.list && count", []),
        ("zero && count", 3),
        ("![empty.text, none]", False),
        ("[!empty.text, !empty.list, !empty.object, !empty.no, !none, !zero, !name]", [True] * 5 + [False] * 2),
        ("count == `3.0`", True),
        ("yes == `1`", False),
        ("zero == `false`", False),
        ("[yes, zero] == `[1, 0]`", False),
        ("builds[0].jobs == `[{\"os\": \"linux\"}, {\"os\": \"mac\"}]`", True),
        ("builds[0].jobs != builds[1].jobs", True),
        ("{a: count, b: [zero]} == `{\"b\": [0], \"a\": 3}`", True),
        ("{a: count} == `{\"b\": 3}`", False),
        ("none == missing", True),
        ("name < 'sho'", False),
        ("name > 'sho'", True),
        ("ratio <= `0.5`", True),
        ("name < `3`", None),
        ("yes < `3`", None),
        ("nested > nested", None),
        ("@ == @", True),
        ("'text'.a", None),
        ("`[1, 2]`[1]", 2),
    ],
)  # fmt: skip
def test_what_an_expression_finds(text: str, found: object) -> None:
    """As the specification defines it."""
    assert parse(text).find(BUILDS, Work()) == found


def test_true_is_not_the_number_one() -> None:
    """Python takes them for the same."""
    found = parse("[name == 'shop', count]").find(BUILDS, Work())
    assert json.dumps(found) == "[true, 3]"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
)
expressions = st.recursive(
    st.sampled_from(["a", "b", "c", "@", "*", "[]", "[0]", "'a'", "`[1, true]`", "[?a]", "[::-1]"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["|", "||", "&&", "==", "<", "!="]), inner).map(" ".join),
        st.tuples(inner, st.sampled_from(["[*].b", "[]", "[-1]", ".*", "[1:]", ".a"])).map("".join),
        inner.map(lambda one: f"@[?{one}]"),
        inner.map(lambda one: f"[{one}, a]"),
        inner.map(lambda one: f"{{a: {one}}}"),
        inner.map(lambda one: f"!({one})"),
        st.tuples(
            st.sampled_from(["length", "sort", "sum", "avg", "max", "to_string", "ceil", "reverse"]), inner
        ).map(lambda call: f"{call[0]}({call[1]})"),
        st.tuples(inner, inner).map(lambda two: f"sort_by({two[0]}, &{two[1]})"),
        st.tuples(inner, inner).map(lambda two: f"map(&{two[0]}, {two[1]})"),
    ),
    max_leaves=6,
)


@given(json_values, expressions)
def test_any_expression_finds_json_in_any_json_or_is_a_fault(value: object, text: str) -> None:
    try:
        found = parse(text).find(value, Work())
    except Fault:
        return
    json.dumps(found)
