"""The words and signs of an expression."""

from __future__ import annotations

import json
import re
from typing import NamedTuple, NoReturn, cast

from tailrace.domain.jmespath.faults import Fault

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<quoted>"(?:[^"\\]|\\.)*")
      | (?P<text>'(?:[^'\\]|\\.)*')
      | (?P<literal>`(?:[^`\\]|\\.)*`)
      | (?P<number>-?[0-9]+)
      | (?P<sign>\[\s*\]|\[\?|\|\||&&|[=!<>]=|[][.*,:@(){}|&!<>])
    )""",
    re.VERBOSE | re.DOTALL,
)
_SHOWN = 20  # characters of what was found
_OPEN = {
    '"': 'a key in quotes that no " ends',
    "'": "a text that no ' ends",
    "`": "a JSON value that no ` ends",
    "=": "=; to compare, write ==",
}


class Token(NamedTuple):
    """`kind` is name, quoted, text, literal, number, sign or end; `text` is as it was written; `at` is the character, from 0."""

    kind: str
    text: str
    at: int

    @property
    def shown(self) -> str:
        """For a sentence."""
        if self.kind == "end":
            return "the end"
        text = self.text if len(self.text) <= _SHOWN else f"{self.text[: _SHOWN - 1]}…"
        return json.dumps(text, ensure_ascii=False)


def read_tokens(text: str) -> list[Token]:
    """All of them, an end last. Raises Fault."""
    tokens: list[Token] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            _wrong(text, at + len(text[at:]) - len(text[at:].lstrip()))
        kind = match.lastgroup
        words = "[]" if match[kind].startswith("[") and match[kind].endswith("]") else match[kind]
        tokens.append(Token(kind, words, match.start(kind)))
        at = match.end()
    return [*tokens, Token("end", "", len(text))]


def key_of(token: Token) -> str:
    """The key that a name, or a name in quotes, stands for. Raises Fault."""
    return token.text if token.kind == "name" else cast("str", _json(token, token.text, "a key in quotes"))


def text_of(token: Token) -> str:
    """The text between '…': a backslash stands for itself, but before a '."""
    return token.text[1:-1].replace("\\'", "'")


def value_of(token: Token) -> object:
    """The JSON value between `…`, where a backslash stands before each ` that belongs to it. Raises Fault."""
    return _json(token, token.text[1:-1].replace("\\`", "`"), "a JSON value; a text is written 'so'")


def _json(token: Token, text: str, expected: str) -> object:
    try:
        value = cast("object", json.loads(text, parse_constant=_refuse))
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):  # no JSON; half of a character; nested too deep
        raise Fault(token.at, f"found {token.shown}; expected {expected}") from None
    return value


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _wrong(text: str, at: int) -> NoReturn:
    found = _OPEN.get(text[at])
    if found is None:
        rest = Token("rest", text[at:], at).shown
        found = f'{rest}; a key that holds other characters than A-Z, a-z, 0-9 and _ is written in quotes: "a-key"'
    raise Fault(at, f"found {found}")
