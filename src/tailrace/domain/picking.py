"""Paths into JSON: JMESPath (https://jmespath.org), as admins write it and strangers' payloads meet it.

head.commit.id                             a key in a key; "quoted keys" hold anything
commits[-1].id                             an element, here the last
commits[].files[]                          every element, and every element of each: a list without nulls
head.sha || after                          the second where the first finds nothing, "", [], {} or false
builds[?state == 'passed'].id | [0]        the first of those that a condition holds for
join(',', sort(keys(labels)))              what a function makes of it
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from tailrace.domain.errors import Invalid
from tailrace.domain.jmespath import Fault, Node, Work, parse
from tailrace.domain.jmespath.values import measure

__all__ = ["MAX_PATH", "Path", "Work", "parse_path"]

MAX_PATH = 1000  # characters


@dataclass(frozen=True)
class Path:
    """A path that was read; `text` is how it was written."""

    text: str
    _node: Node

    def pick(self, value: object, work: Work | None = None) -> object:
        """What is found there; None when there is nothing. `work` is what it may take together with others; else it has its own.

        Raises Invalid with the place when a function meets what it does not take, and when it takes too long.
        """
        work = Work() if work is None else work
        try:
            work.pay(self._node.weight)
            found = self._node.find(value, work)
            measure(found, work)
        except Fault as fault:
            raise _invalid(self.text, fault) from None
        return found


@lru_cache(maxsize=500)
def parse_path(text: str) -> Path:
    """A path; raises Invalid with the place (the character, from 1), what was found there and what is allowed."""
    if len(text) > MAX_PATH:
        raise Invalid(f"a path of {len(text)} characters: the longest may have {MAX_PATH}")
    try:
        return Path(text, parse(text))
    except Fault as fault:
        raise _invalid(text, fault) from None


def _invalid(text: str, fault: Fault) -> Invalid:
    if fault.at is None:
        return Invalid(f"path {text!r}: {fault.message}")
    place = fault.at + 1
    return Invalid(
        f"path {text!r}, character {place}: {fault.message}",
        ({"character": place, "message": fault.message},),
    )
