"""Patterns of artifacts."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.steps.artifacts import Selection


@pytest.mark.parametrize(
    ("pattern", "taken", "left"),
    [
        ("dist/*.whl", ["dist/a.whl", "dist/.whl", "dist/x.whl/inside"], ["dist/a/b.whl", "a.whl", "dist/a.whlx"]),
        ("dist", ["dist", "dist/a", "dist/a/b"], ["distx", "a/dist"]),
        ("dist/", ["dist/a"], ["dis"]),
        ("**/*.xml", ["a.xml", "b/a.xml", "b/c/a.xml"], ["a.xmlx", "xml"]),
        ("a/**", ["a/b", "a/b/c"], ["b/a"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b", "a/x/b/c"], ["a/xb", "ab"]),
        ("**", ["a", "a/b"], []),
        ("a?c", ["abc", "a水c"], ["ac", "a/c"]),
        ("[a-c]x[!0-9]", ["axx", "cx_"], ["dxx", "ax1", "ax/"]),
        ("a[", ["a["], ["a"]),
        ("[z-a]", ["z", "-"], ["b"]),
        ("a+(b).c", ["a+(b).c"], ["aab.c", "a+(b)xc"]),
        ("水/*", ["水/x"], ["x"]),
    ],
)  # fmt: skip
def test_what_a_pattern_means(pattern: str, taken: list[str], left: list[str]) -> None:
    selection = Selection([pattern])
    assert [path for path in taken if not selection.takes(path)] == []
    assert [path for path in left if selection.takes(path)] == []


def test_what_is_left_out_is_left_out_whatever_the_order() -> None:
    for patterns in (["a", "!a/b"], ["!a/b", "a"]):
        selection = Selection(patterns)
        assert selection.takes("a/c")
        assert not selection.takes("a/b")
        assert not selection.takes("a/b/c")
        assert not selection.may_hold("a/b")


def test_a_walk_enters_only_folders_that_may_hold_something() -> None:
    """Of a checkout of a thousand folders one is looked into; the repository's own never."""
    selection = Selection(["dist/deep/*.whl", "reports"])
    assert [f for f in ("dist", "dist/deep", "dist/other", "reports", "reports/a", "src") if selection.may_hold(f)] == [
        "dist", "dist/deep", "reports", "reports/a",
    ]  # fmt: skip
    assert not Selection(["**"]).may_hold(".git")
    assert not Selection(["**"]).may_hold("vendor/lib/.git")
    assert Selection(["**"]).may_hold(".github")


def test_patterns_that_matched_nothing_are_known() -> None:
    selection = Selection(["a", "b/*", "c"])
    assert selection.takes("b/x")
    assert selection.unused == ["a", "c"]


def test_a_name_that_is_no_utf_8_is_matched_all_the_same() -> None:
    assert Selection(["dist/*"]).takes("dist/\udcff.whl")


@given(
    st.text("ab*?[]-!", min_size=1, max_size=12).filter(lambda p: p[0] != "!"),
    st.text("ab-!", min_size=1, max_size=6),
)
def test_single_parts_mean_what_shells_mean(pattern: str, name: str) -> None:
    """But for a range that runs backwards, where shells differ too, and `**`, which stands for parts."""
    if "-" in pattern or "**" in pattern:
        return
    assert Selection([pattern]).takes(name) == fnmatch.fnmatchcase(name, pattern)


def test_a_hostile_pattern_takes_no_longer_than_others() -> None:
    """Linear time: `*a*a*…` against a long name ends (with a backtracking matcher it would not)."""
    assert not Selection(["*a" * 40 + "b"]).takes("a" * 1000)
