"""Patterns: what is matched, and what is refused with words that help."""

from __future__ import annotations

import time

import pytest

from tailrace.domain.errors import Invalid
from tailrace.logs.search_pattern import MOST_PATTERN_BYTES, SearchPattern


def first(pattern: SearchPattern, text: str) -> str | None:
    data = text.encode()
    match = pattern.find(data, 0, len(data))
    return None if match is None else data[slice(*match)].decode()


def test_literal_text_means_itself() -> None:
    """No character of it is special."""
    assert first(SearchPattern("a.b*(["), "x A.B*([") == "A.B*(["
    assert first(SearchPattern("a.b*(["), "axb") is None
    assert first(SearchPattern(r"\A"), r"C:\a") == r"\a"


def test_case_is_told_apart_only_when_asked() -> None:
    """Also beyond ASCII; and a pattern can say so itself."""
    assert first(SearchPattern("größe"), "GRÖßE") == "GRÖßE"
    assert first(SearchPattern("größe", case=True), "GRÖßE größe") == "größe"
    assert first(SearchPattern("straSSe|(?-i:X)", regex=True), "x STRASSE") == "STRASSE"


def test_lines_are_matched_by_themselves() -> None:
    """No match holds a newline; ^ and $ are each line's."""
    for text in ("a.b", r"a\sb", "a[^x]b", "(?s)a.b", r"a\nb", r"a\W+b"):
        assert first(SearchPattern(text, regex=True), "a\nb") is None
    assert first(SearchPattern("^b", regex=True), "a\nb\nc") == "b"
    assert first(SearchPattern("a$", regex=True), "a\nb") == "a"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a(b", "q: not a regular expression at character 2: missing ): a(b"),
        ("水[z-a]", "q: not a regular expression at character 3: invalid character class range: z-a"),
        ("a**b\\8", "q: not a regular expression at character 2: bad repetition operator: **"),
        ("(?=x)", "q: not a regular expression at character 1: invalid perl operator: (?="),
        ("x{1001}", "q: not a regular expression at character 2: invalid repetition size: {1001}"),
        (r"a\Ab", r"q: \A at character 2 looks beyond a line, and each is searched alone: use ^"),
        (r"水\z", r"q: \z at character 2 looks beyond a line, and each is searched alone: use $"),
        (r"\C", r"q: \C at character 1 looks beyond a line, and each is searched alone: use ."),
        ("a(?i-ms)b", "q: flag m at character 2 cannot be switched off"),
        ("(?i)(\\pL{900}){1}" * 30, "q: this regular expression needs more than 16 MiB; repeat less"),
    ],
)
def test_a_bad_regular_expression_is_refused(text: str, says: str) -> None:
    """With what is wrong, and where."""
    with pytest.raises(Invalid) as refused:
        SearchPattern(text, regex=True)
    assert str(refused.value).startswith(says)


@pytest.mark.parametrize("text", [r"\Q\A\E", r"[\\A]", r"\\A", "[(?-m]", r"[[:alpha:]\\C]", r"\Q(?-m)"])
def test_what_only_looks_like_it_is_not_refused(text: str) -> None:
    """Escaped backslashes, quoted text and classes."""
    SearchPattern(text, regex=True)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "q: there is nothing to search for"),
        ("a\nb", "q: it holds a line break"),
        ("x" * (MOST_PATTERN_BYTES + 1), "q: 4097 bytes are too long; at most 4096"),
    ],
)
def test_bad_text_is_refused(text: str, says: str) -> None:
    """Nothing, two lines, too much."""
    with pytest.raises(Invalid, match=says):
        SearchPattern(text)


def test_no_pattern_takes_for_ever() -> None:
    """What stops a backtracking engine for years is linear here."""
    began = time.monotonic()
    assert first(SearchPattern("(a*)*(a*)*(a|aa)+b", regex=True), "a" * 100_000) is None
    assert time.monotonic() - began < 60
