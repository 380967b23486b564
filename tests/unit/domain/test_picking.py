"""Paths into JSON pick what JMESPath says that they pick."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.domain.errors import Invalid
from tailrace.domain.picking import Work, parse_path

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
        ("commits[?author.name == 'Mia'].id | [0]", "1"),
        ("commits[-1:].id", ["3"]),
        ("join(',', commits[].files[])", "a,b,c"),
        ("head.commit.{revision: id, ref: @}", {"revision": "abc", "ref": {"id": "abc"}}),
    ],
)
def test_what_a_path_finds(path: str, found: object) -> None:
    """As JMESPath's specification defines it."""
    assert parse_path(path).pick(PUSH) == found


@pytest.mark.parametrize(
    ("path", "character", "message"),
    [
        ("", 1, "found the end; expected a key"),
        ("  ", 3, "found the end"),
        ("a..b", 3, 'found "."; expected a key'),
        ("a b", 3, 'found "b"; expected the end'),
        ("lenght(a)", 1, "there is no function lenght()"),
        ("a.größe", 5, 'found "öße"; a key that holds other characters'),
    ],
)
def test_what_is_no_path_says_where(path: str, character: int, message: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_path(path)
    assert f"path {path!r}, character {character}: {message}" in str(refused.value)
    (error,) = refused.value.errors
    assert error["character"] == character
    assert message in str(error["message"])


def test_a_function_that_meets_what_it_does_not_take_says_where() -> None:
    with pytest.raises(
        Invalid, match=r"path 'head \| length\(none\)', character 8: length\(\): argument 1 is null"
    ):
        parse_path("head | length(none)").pick(PUSH)


def test_a_path_has_a_most() -> None:
    parse_path("a" * 1000)
    with pytest.raises(Invalid, match="the longest may have 1000"):
        parse_path("a" * 1001)


def test_a_path_that_takes_too_long_is_refused() -> None:
    """What it finds counts too: another would write it down."""
    with pytest.raises(Invalid, match=r"path '.*': it takes more than 2000000 steps on this JSON"):
        parse_path("[@, @]" + " | [@, @]" * 100).pick(PUSH)


def test_paths_can_share_what_they_may_take() -> None:
    work = Work(30)
    path = parse_path("commits[].files[]")
    path.pick(PUSH, work)
    with pytest.raises(Invalid, match="more than 30 steps"):
        path.pick(PUSH, work)
    assert path.pick(PUSH) == ["a", "b", "c"]


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
