"""Paths into JSON pick what JMESPath says that they pick."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.domain.errors import Invalid
from tailrace.domain.picking import parse_path

PUSH: dict[str, Any] = {
    "ref": "refs/heads/main",
    "empty": "",
    "no": False,
    "zero": 0,
    "a key": {"x.y": 1, 'q"q': 2, "größe": 3},
    "head": {"commit": {"id": "abc"}, "none": None},
    "commits": [
        {"id": "1", "files": ["a", "b"], "author": {"name": "Mia"}},
        {"id": "2", "files": ["c"]},
        {"id": "3", "files": None},
    ],
    "nested": [[1, 2], 3, None, [[4]]],
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("ref", "refs/heads/main"),
        ("head.commit.id", "abc"),
        ("head . commit . id ", "abc"),
        ("head.missing.id", None),
        ("ref.id", None),
        ('"a key"."x.y"', 1),
        ('"a key"."q\\"q"', 2),
        ('"a key"."größe"', 3),
        ('"a key"."gr\\u00f6\\u00dfe"', 3),
        ("commits[0].id", "1"),
        ("commits[-1].id", "3"),
        ("commits[3].id", None),
        ("commits[-4].id", None),
        ("head[0]", None),
        ("commits[].id", ["1", "2", "3"]),
        ("commits[].author.name", ["Mia"]),
        ("commits[].files[]", ["a", "b", "c"]),
        ("commits[].files[0]", ["a", "c"]),
        ("nested[]", [1, 2, 3, [4]]),
        ("nested[][]", [1, 2, 3, 4]),
        ("ref[]", None),
        ("missing[].id", None),
        ("missing || ref", "refs/heads/main"),
        ("empty || no || head.none || ref", "refs/heads/main"),
        ("empty || no", False),
        ("zero || ref", 0),
        ("missing || ''", ""),
        ("'text'", "text"),
        (r"'it\'s'", "it's"),
        ("@.ref", "refs/heads/main"),
        ("@", PUSH),
    ],
)
def test_what_a_path_finds(path: str, found: object) -> None:
    """As JMESPath's specification defines it."""
    assert parse_path(path).pick(PUSH) == found


@pytest.mark.parametrize(
    ("path", "character", "found"),
    [
        ("", 1, "its end"),
        ("  ", 3, "its end"),
        ("a.", 3, "its end"),
        ("a..b", 3, '"."'),
        (".a", 1, '"."'),
        ("a b", 3, '"b"'),
        ("a ||", 5, "its end"),
        ("|| a", 1, '"||"'),
        ("a[", 2, '"["'),
        ("a[x]", 2, '"[x]"'),
        ("a.[0]", 3, '"[0]"'),
        ("a[*]", 2, '"[*]"'),
        ("a | b", 3, '"| b"'),
        ("length(a)", 7, '"(a)"'),
        ('a."b', 3, '"\\"b"'),
        ('"\\x"', 1, '"\\"\\\\x\\""'),
        ("'a'.b", 4, '"."'),
        ("'a'[0]", 4, '"[0]"'),
        ("a-b", 2, '"-b"'),
        ("größe", 3, '"öße"'),
    ],
)
def test_what_is_no_path_says_where(path: str, character: int, found: str) -> None:
    with pytest.raises(Invalid, match="expected a path such as") as refused:
        parse_path(path)
    assert f"character {character}: found {found};" in str(refused.value)


def test_a_path_has_a_most() -> None:
    with pytest.raises(Invalid, match="the longest may have 1000"):
        parse_path("a" * 1001)


@given(st.text(alphabet="ab.[]0'\"|@ \\-", max_size=30))
def test_any_text_is_a_path_or_invalid(text: str) -> None:
    try:
        path = parse_path(text)
    except Invalid:
        return
    path.pick(PUSH)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
)


@given(
    json_values,
    st.lists(st.sampled_from(["a", "b", "[0]", "[-1]", "[]"]), min_size=1, max_size=6),
)
def test_a_path_finds_something_or_nothing_in_any_json(value: object, steps: list[str]) -> None:
    path = "@" + "".join(step if step.startswith("[") else f".{step}" for step in steps)
    parse_path(path).pick(value)
