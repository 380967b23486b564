"""What differs between two texts, as programs and people read it."""

from __future__ import annotations

from difflib import unified_diff

MAX_COMPARED = 4000
"""Lines: comparing takes the square of it at worst, a second or so. Of longer stretches the whole is shown as replaced."""
_CONTEXT = 3


def unified(before: str, after: str, name_before: str, name_after: str) -> str:
    """A unified diff; empty where the texts are the same."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    begin = _same(old, new)
    end = _same(old[begin:][::-1], new[begin:][::-1])
    if max(len(old), len(new)) - begin - end <= MAX_COMPARED and max(len(old), len(new)) <= 10 * MAX_COMPARED:
        lines = unified_diff(old, new, name_before, name_after, n=_CONTEXT)
        return "".join(
            line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
        )
    gone, come = old[begin : len(old) - end], new[begin : len(new) - end]
    head = f"--- {name_before}\n+++ {name_after}\n"
    where = f"@@ -{_stretch(begin, len(gone))} +{_stretch(begin, len(come))} @@\n"
    body = [f"{sign}{line.rstrip()}\n" for sign, lines in (("-", gone), ("+", come)) for line in lines]
    return head + where + "".join(body)


def _same(one: list[str], other: list[str]) -> int:
    """How many lines both begin with."""
    number = 0
    for line, there in zip(one, other, strict=False):
        if line != there:
            break
        number += 1
    return number


def _stretch(begin: int, lines: int) -> str:
    return f"{begin + 1 if lines else begin},{lines}"
