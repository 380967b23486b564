"""Paths into JSON: the part of JMESPath (https://jmespath.org) that picks values, and nothing else of it.

    head.commit.id          a key in a key; "quoted keys" hold anything
    commits[0].id           an element, from the end with [-1]
    commits[].files[]       every element, and every element of each: a list without nulls
    head.sha || after       the second where the first finds nothing, "", [], {} or false
    'main'                  a text as it is
    @                       the whole

What they mean is what JMESPath says they mean, so that a full JMESPath can take their place.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import NamedTuple, NoReturn, cast

from tailrace.domain.errors import Invalid

MAX_PATH = 1000  # characters
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<quoted>"(?:[^"\\]|\\.)+")
      | (?P<text>'(?:[^'\\]|\\.)*')
      | (?P<index>\[\s*-?[0-9]{1,9}\s*\])
      | (?P<sign>\|\||\[\s*\]|[.@])
    )""",
    re.VERBOSE | re.DOTALL,
)
_ALLOWED = "a path such as head.commit.id, commits[0].id, commits[].id, \"a key\".b, a || b or 'text'"


@dataclass(frozen=True)
class Key:
    """The value of a key."""

    name: str


@dataclass(frozen=True)
class Index:
    """An element of a list, counted from 0, or from the end with -1."""

    number: int


@dataclass(frozen=True)
class Flatten:
    """Every element of a list; of those that are lists, their elements. What follows is done to each."""


@dataclass(frozen=True)
class Text:
    """A text that stands in the path itself."""

    text: str


Step = Key | Index | Flatten | Text


@dataclass(frozen=True)
class Path:
    """A path that was read: what is tried one after the other, each as its steps; `text` is how it was written."""

    text: str
    choices: tuple[tuple[Step, ...], ...]

    def pick(self, value: object) -> object:
        """What is found there; None when there is nothing."""
        found: object = None
        for steps in self.choices:
            found = _follow(steps, value)
            if found is not None and found is not False and found != "" and found != [] and found != {}:
                break
        return found


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


def parse_path(text: str) -> Path:
    """A path; raises Invalid with the place (the character, from 1), what was found there and what is allowed."""
    if len(text) > MAX_PATH:
        raise Invalid(f"a path of {len(text)} characters: the longest may have {MAX_PATH}")
    choices: list[tuple[Step, ...]] = []
    steps: list[Step] = []
    tokens = [*_tokens(text), _Token("end", "", len(text))]
    for before, token in zip((None, *tokens), tokens, strict=False):
        first = before is None or before.text == "||"
        after_dot = before is not None and before.text == "."
        match token.kind:
            case "name" | "quoted" if first or after_dot:
                name = token.text if token.kind == "name" else _unquoted(text, token)
                steps.append(Key(name))
            case "text" if first:
                steps.append(Text(re.sub(r"\\'", "'", token.text[1:-1])))
            case "index" if not after_dot and not _is_text(steps):
                steps.append(Index(int(token.text[1:-1])))
            case "sign" if token.text.startswith("[") and not after_dot and not _is_text(steps):
                steps.append(Flatten())
            case "sign" if token.text == "@" and first:
                pass
            case "sign" if token.text == "." and not first and not after_dot and not _is_text(steps):
                pass
            case "sign" | "end" if token.text in ("||", "") and not first and not after_dot:
                choices.append(tuple(steps))
                steps = []
            case _:
                _wrong(text, token.at, token.text)
    return Path(text, tuple(choices))


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            at += len(text[at:]) - len(text[at:].lstrip())
            _wrong(text, at, text[at : at + 20])
        tokens.append(_Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
        at = match.end()
    return tokens


def _is_text(steps: list[Step]) -> bool:
    return bool(steps) and isinstance(steps[-1], Text)


def _unquoted(text: str, token: _Token) -> str:
    try:
        return cast("str", json.loads(token.text))
    except ValueError:
        _wrong(text, token.at, token.text)


def _wrong(text: str, at: int, found: str) -> NoReturn:
    shown = json.dumps(found, ensure_ascii=False) if found else "its end"
    raise Invalid(
        f"path {text!r}, character {at + 1}: found {shown}; expected {_ALLOWED}",
        ({"character": at + 1, "message": f"found {shown}"},),
    )


def _follow(steps: tuple[Step, ...], value: object) -> object:
    many = False  # whether `value` is what a Flatten made: the steps are done to each element
    for step in steps:
        match step:
            case Text(text):
                value = text
            case Flatten():
                value, many = _flat(value), isinstance(value, list)
            case _ if many:
                each = (_one(step, element) for element in cast("list[object]", value))
                value = [element for element in each if element is not None]
            case _:
                value = _one(step, value)
        if value is None:
            return None
    return value


def _one(step: Key | Index, value: object) -> object:
    if isinstance(step, Key):
        return cast("dict[str, object]", value).get(step.name) if isinstance(value, dict) else None
    if not isinstance(value, list):
        return None
    elements = cast("list[object]", value)
    return elements[step.number] if -len(elements) <= step.number < len(elements) else None


def _flat(value: object) -> list[object] | None:
    if not isinstance(value, list):
        return None
    flat: list[object] = []
    for element in cast("list[object]", value):
        if isinstance(element, list):
            flat.extend(cast("list[object]", element))
        else:
            flat.append(element)
    return [element for element in flat if element is not None]
