"""What may be a secret, and what masking can hide of it."""

from __future__ import annotations

import pytest

from tailrace.domain.errors import Invalid
from tailrace.domain.secrets import check_value, is_name, masked_parts, warnings_of


@pytest.mark.parametrize("name", ["A", "_", "PYPI_TOKEN", "lower", "A1", "x" * 100])
def test_names(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A B", "A\n", "É", "x" * 101, "TAILRACE_COOKIE"])
def test_what_cannot_be_a_name(name: str) -> None:
    assert not is_name(name)


@pytest.mark.parametrize(
    ("value", "why"),
    [("", "is empty"), (" \n", "is empty"), ("hush\0hush", "NUL"), ("hush\ud800", "half of a character"),
     ("hush" * 20_000, "80000 bytes")],
)  # fmt: skip
def test_what_cannot_be_a_value(value: str, why: str) -> None:
    """The refusal does not quote it: it may be a secret with a slip in it."""
    with pytest.raises(Invalid, match=why) as caught:
        check_value(value)
    assert "hush" not in str(caught.value)


def test_parts() -> None:
    """The whole and each line, without blanks around them, where they are long enough; none twice."""
    assert masked_parts("  a token\n") == ["a token"]
    assert masked_parts("first line\r\n  second\nabc\n\nfirst line") == [
        "first line\r\n  second\nabc\n\nfirst line",
        "first line",
        "second",
    ]
    assert masked_parts("12345") == []
    assert masked_parts("12345\n6789") == ["12345\n6789"]


def test_warnings() -> None:
    """Only of what is not hidden; never with a piece of it."""
    assert warnings_of("123456\n") == []
    assert warnings_of("12345\n") == ["it has fewer than 6 characters: it is not masked"]
    assert warnings_of("a long line\nabc\n\nanother line\n") == [
        "line 2 has fewer than 6 characters: not masked where it is printed alone"
    ]
    assert warnings_of("long enough\n" + "ab\n" * 12) == [
        "lines 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 2 more have fewer than 6 characters:"
        " not masked where it is printed alone"
    ]
