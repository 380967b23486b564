"""Whole numbers in addresses and headers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from tailrace.domain.errors import Invalid

LARGEST = 2**63 - 1

RowId = Annotated[int, Field(ge=0, le=LARGEST)]
"""The id of a row, no larger than a column holds."""


def whole_number(text: str, name: str, most: int = LARGEST) -> int:
    """The number that `text` says; raises Invalid, which names the parameter."""
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= most):
        raise Invalid(f"{name}: {text[:40]!r} is not a whole number from 0 to {most}")
    return int(text)


def number_in(query: Mapping[str, str], name: str, most: int = LARGEST) -> int | None:
    """The parameter as a whole number; None when it is not there."""
    text = query.get(name)
    return None if text is None else whole_number(text, name, most)
