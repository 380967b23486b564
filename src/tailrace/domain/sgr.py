"""Select graphic rendition: the escape sequences that give text its colours, ECMA-48 8.3.117."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

SGR = re.compile(rb"\x1b\[([0-9;:]{0,64})m")

_FLAGS = {1: 1, 2: 2, 3: 3, 5: 5, 6: 5, 7: 7, 8: 8, 9: 9, 53: 53}
_ENDS = {22: (1, 2), 23: (3,), 25: (5,), 27: (7,), 28: (8,), 29: (9,), 55: (53,)}
_COLOURS = {38: "ink", 48: "paper", 58: "rule"}


class Style(NamedTuple):
    """How characters look, as the parameters that make it so: flags in ascending order, underline, and three colours."""

    flags: tuple[int, ...] = ()
    underline: str = ""
    ink: str = ""
    paper: str = ""
    rule: str = ""

    @property
    def parameters(self) -> str:
        parts = [*map(str, self.flags), self.underline, self.ink, self.paper, self.rule]
        return ";".join(part for part in parts if part)


PLAIN = Style()


def change(now: Style, wanted: Style) -> bytes:
    """The sequence that makes `wanted` of `now`; empty when they are the same."""
    if now == wanted:
        return b""
    if wanted == PLAIN:
        return b"\x1b[0m"
    return (f"\x1b[{wanted.parameters}m" if now == PLAIN else f"\x1b[0;{wanted.parameters}m").encode()


def style_after(style: Style, text: bytes) -> Style:
    """The style in force after text that holds sequences of this kind and no others."""
    reset = max(text.rfind(b"\x1b[0m"), text.rfind(b"\x1b[m"))
    if reset >= 0:
        style = PLAIN
    for parameters in SGR.findall(text, max(reset, 0)):
        style = applied(style, parameters)
    return style


@lru_cache(maxsize=4096)
def applied(style: Style, parameters: bytes) -> Style:
    """The style after one sequence with these parameters; what is unknown in them changes nothing."""
    parts = iter(parameters.decode("ascii").split(";"))
    for part in parts:
        style = _apply(style, part, parts)
    return style


def _apply(style: Style, part: str, rest: Iterator[str]) -> Style:
    code, colon, _ = part.partition(":")
    number = int(code or 0) if len(code) < 4 else -1
    if number in _COLOURS:
        colour = part if colon else _extended(part, rest)
        return style._replace(**{_COLOURS[number]: colour}) if colour else style
    if number == 4:
        return style._replace(underline="" if part == "4:0" else part)
    if number == 0:
        return PLAIN
    if number in _FLAGS:
        return style._replace(flags=tuple(sorted({*style.flags, _FLAGS[number]})))
    if number in _ENDS:
        return style._replace(flags=tuple(flag for flag in style.flags if flag not in _ENDS[number]))
    if number == 21:
        return style._replace(underline=part)
    if number == 24:
        return style._replace(underline="")
    if 30 <= number <= 37 or 90 <= number <= 97:
        return style._replace(ink=code)
    if 40 <= number <= 47 or 100 <= number <= 107:
        return style._replace(paper=code)
    if number in (39, 49, 59):
        return style._replace(**{_COLOURS[number - 1]: ""})
    return style


def _extended(code: str, rest: Iterator[str]) -> str:
    """A colour by number (38;5;n) or by its parts (38;2;r;g;b), which are parameters of their own."""
    kind = next(rest, "")
    parts = [next(rest, "") for _ in range({"5": 1, "2": 3}.get(kind, 0))]
    return ";".join((code, kind, *parts)) if parts else ""
