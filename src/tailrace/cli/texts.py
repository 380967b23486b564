"""What others wrote, such as a commit's title, made fit for a terminal: it is shown, and never obeyed."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from tailrace.domain.columns import columns, narrow

# Control characters, ends of lines that only some know, lone surrogates, and what turns the direction of text.
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_UNFIT_LINES = re.compile(_UNFIT.pattern.replace("\x00-\x1f", "\x00-\x08\x0b-\x1f"))
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"
_LEAST = 20
"""The columns that a table's last column takes at least, however narrow the terminal is."""


def tame(text: str) -> str:
    """The text on one line: what a terminal would obey is shown as an escape, such as `\\x1b`."""
    return _UNFIT.sub(_escape, text)


def tame_lines(text: str) -> str:
    """As `tame`, but ends of lines and tabs stay."""
    return _UNFIT_LINES.sub(_escape, text)


def say(text: str, *, to: TextIO | None = None) -> None:
    """Print a text in which words of others may stand; to standard output if nothing else is said."""
    print(tame_lines(text), file=to or sys.stdout, flush=True)


def print_fields(fields: Mapping[str, object], width: int = 14) -> None:
    """Print names and values, one a line; what is None is left out."""
    for name, value in fields.items():
        if value is not None:
            print(tame(f"{name:<{width}}{value}"))


def write_exactly(text: str) -> None:
    """Write a text that others wrote to standard output: as it is to a file or pipe, tamed to a terminal."""
    sys.stdout.write(tame_lines(text) if sys.stdout.isatty() else text)


def print_json(value: Any) -> None:
    """Print it as JSON, with escapes of JSON's own for what a terminal would obey."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    print(_UNFIT_LINES.sub(lambda match: f"\\u{ord(match[0]):04x}", text))


def print_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns that are as wide as what is in them; on a terminal the last one folds."""
    tamed = [[tame(cell) for cell in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(titles, *tamed, strict=True)]
    terminal = sys.stdout.isatty()
    left = shutil.get_terminal_size().columns - sum(widths[:-1]) - 2 * len(widths[:-1])
    last = max(left, _LEAST) if terminal else max(widths)
    bold = terminal
    for row in (titles, *tamed):
        cells = [
            cell + " " * (width - _width(cell)) for cell, width in zip(row[:-1], widths[:-1], strict=True)
        ]
        before = "".join(cell + "  " for cell in cells)
        for number, part in enumerate(_fold(row[-1], last)):
            line = ((before if number == 0 else " " * _width(before)) + part).rstrip()
            print(f"{_BOLD}{line}{_PLAIN}" if bold else line)
        bold = False


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()


def _width(text: str) -> int:
    return len(text) if narrow(text) else sum(map(columns, text))


def _fold(text: str, most: int) -> list[str]:
    """The text in parts of so many columns at most, cut at spaces where there are any."""
    parts: list[str] = []
    while _width(text) > most:
        fit, taken = 0, 0
        while taken + columns(text[fit]) <= most:
            taken += columns(text[fit])
            fit += 1
        space = text.rfind(" ", 1, fit + 1)
        cut = space if space > 0 else max(fit, 1)
        parts.append(text[:cut])
        text = text[cut:].lstrip(" ")
    return [*parts, text]
