"""The language of `if`: when a job or a step is executed.

    success, failure, aborted, always          how what came before has ended
    branch == "main"  event != 'push'          names (`tailrace.domain.references`) and texts, compared
    branch matches "release/*"                 `*` stands for any text, `?` for one character
    not …  … and …  … or …  ( … )              also ! && ||

A condition that names none of the four words holds only after success.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import NamedTuple

from tailrace.domain.errors import Invalid
from tailrace.domain.references import PATTERN, Lookup, Reference, parse_reference, shown_reference

WORDS = ("success", "failure", "aborted", "always")
MAX_LENGTH = 1000
MAX_DEPTH = 20
_TOKEN = re.compile(
    rf"""\s*(?:(?P<operator>==|!=|&&|\|\||!|\(|\))|(?P<text>"[^"\n]*"|'[^'\n]*')|(?P<name>{PATTERN}))"""
)
_SAME = {"&&": "and", "||": "or", "!": "not"}
_COMPARISONS = ("==", "!=", "matches")
_RESERVED = (*WORDS, "true", "false", "and", "or", "not", "matches")

_Test = Callable[[Collection[str], Lookup], bool]


@dataclass(frozen=True)
class Condition:
    """A condition as it was read; `references` are the names in it, `words` those of WORDS."""

    text: str
    references: tuple[Reference, ...]
    words: frozenset[str]
    _test: _Test

    @property
    def wants_success(self) -> bool:
        """Whether it can hold only when all that came before has passed."""
        return not self.words

    def holds(self, status: Collection[str], value: Lookup) -> bool:
        """Whether it holds: `status` is which of `success`, `failure`, `aborted` are so."""
        if self.wants_success and "success" not in status:
            return False
        return self._test(status, value)

    def explain(self, value: Lookup) -> str:
        """The condition with what its names stand for, for a sentence."""
        known = ", ".join(f"{shown_reference(one)} is {_short(value(one))}" for one in self.references[:3])
        return f"`{self.text}`{f' ({known})' if known else ''}"


@lru_cache(maxsize=1000)
def parse_condition(text: str) -> Condition:
    """Read a condition; raises Invalid with what is wrong and what is allowed. The empty one is `success`."""
    if len(text) > MAX_LENGTH:
        raise Invalid(f"a condition may have {MAX_LENGTH} characters; found {len(text)}")
    if text.strip() in ("", "success"):  # as if nothing were said: whoever decides need not wait for the rest
        return Condition("success", (), frozenset(), lambda _status, _value: True)
    reader = _Reader(text)
    test = reader.read()
    return Condition(
        " ".join(text.split()), tuple(dict.fromkeys(reader.references)), frozenset(reader.words), test
    )


class _Token(NamedTuple):
    kind: str  # operator, text, name, end
    text: str


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            rest = text[position:].strip()
            hint = "; write it without ${{ }}" if rest.startswith("${{") else ""
            if rest.startswith("="):
                hint = "; to compare, write =="
            raise Invalid(f"{rest[:20]!r} cannot stand in a condition{hint}")
        position = match.end()
        kind = match.lastgroup or ""
        found = match[kind]
        if kind == "operator" and found in _SAME:
            found = _SAME[found]
        elif kind == "name" and found in ("and", "or", "not", "matches"):
            kind = "operator"
        yield _Token(kind, found)
    yield _Token("end", "")


class _Reader:
    """Recursive descent: `or` binds least, then `and`, `not`, comparisons."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0
        self._depth = 0
        self.references: list[Reference] = []
        self.words: set[str] = set()

    def read(self) -> _Test:
        test = self._either()
        if self._next.kind != "end":
            raise Invalid(f"{self._next.text!r} stands where 'and', 'or' or the end was expected")
        return test

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self, *operators: str) -> str | None:
        token = self._next
        if token.kind == "operator" and token.text in operators:
            self._at += 1
            return token.text
        return None

    def _either(self) -> _Test:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Invalid(f"a condition may be nested {MAX_DEPTH} levels deep")
        tests = [self._both()]
        while self._take("or"):
            tests.append(self._both())
        self._depth -= 1
        return tests[0] if len(tests) == 1 else lambda s, v: any(test(s, v) for test in tests)

    def _both(self) -> _Test:
        tests = [self._negated()]
        while self._take("and"):
            tests.append(self._negated())
        return tests[0] if len(tests) == 1 else lambda s, v: all(test(s, v) for test in tests)

    def _negated(self) -> _Test:
        negations = 0
        while self._take("not"):
            negations += 1
        test = self._single()
        return (lambda s, v: not test(s, v)) if negations % 2 else test

    def _single(self) -> _Test:
        if self._take("("):
            test = self._either()
            if not self._take(")"):
                raise Invalid("a bracket is not closed")
            return test
        token = self._next
        if token.kind == "name" and token.text in WORDS:
            self._at += 1
            word = token.text
            self.words.add(word)
            return lambda status, _value: word == "always" or word in status
        if token.kind == "name" and token.text in ("true", "false"):
            self._at += 1
            so = token.text == "true"
            return lambda _status, _value: so
        left = self._operand()
        compared = self._take(*_COMPARISONS)
        if compared is None:
            raise Invalid(
                f"{token.text} alone is neither true nor false; compare it: {token.text} == 'a text'"
                f" (allowed: {', '.join(_COMPARISONS)}), or use {', '.join(WORDS)}"
            )
        right = self._operand()
        if compared == "matches":
            return lambda _status, value: fnmatchcase(left(value), right(value).replace("[", "[[]"))
        equal = compared == "=="
        return lambda _status, value: (left(value) == right(value)) is equal

    def _operand(self) -> Callable[[Lookup], str]:
        token = self._next
        if token.kind == "text":
            self._at += 1
            text = token.text[1:-1]
            return lambda _value: text
        if token.kind == "name" and token.text not in _RESERVED:
            self._at += 1
            reference = parse_reference(token.text)
            self.references.append(reference)
            return lambda value: value(reference)
        found = "the end" if token.kind == "end" else repr(token.text)
        raise Invalid(f"{found} stands where a name or a text in quotes was expected")


def _short(text: str) -> str:
    shown = text if len(text) <= 60 else f"{text[:59]}…"
    return f'"{shown}"'
