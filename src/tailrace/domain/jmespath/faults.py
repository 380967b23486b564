"""What is wrong with an expression, or with what it meets in the JSON."""

from __future__ import annotations


class Fault(Exception):
    """`message` is a sentence without the place; `at` is the character, from 0, or None where no place is to blame."""

    def __init__(self, at: int | None, message: str) -> None:
        super().__init__(message)
        self.at = at
        self.message = message


class Unfit(Exception):
    """A function's arguments are not what it takes; the text says which, and what it takes."""
