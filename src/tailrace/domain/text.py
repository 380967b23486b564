"""Text from outside, made fit to be stored."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator


def storable(text: str) -> str:
    """The text with NUL characters (PostgreSQL's text has none) and lone surrogates (UTF-8 has none) replaced."""
    return text.encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


Text = Annotated[str, AfterValidator(storable)]
"""A sentence or name that somebody outside chose: it may hold anything, and must never be refused by the database."""
