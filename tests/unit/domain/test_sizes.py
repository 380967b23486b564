"""Sizes as people write and read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.domain.sizes import parse_size, size_words


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("4096", 4096), ("1KiB", 1024), ("100 MiB", 100 << 20), ("1GiB", 1 << 30)],
)
def test_a_size_is_a_number_with_a_unit(text: str, size: int) -> None:
    """Bytes where there is no unit."""
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "GiB", "1G", "1GB", "1gib", "1.5GiB", "-1", "1  KiB", "1KiB ", "1e3", "٣"]
)
def test_what_could_mean_two_things_is_no_size(text: str) -> None:
    """1GB is a thousandth less than people mean by it, or is not."""
    assert parse_size(text) is None


@given(st.integers(0, 1 << 40))
def test_what_is_shown_is_exact(size: int) -> None:
    """A size is read back from its words."""
    assert parse_size(size_words(size).replace(",", "").removesuffix(" bytes")) == size
