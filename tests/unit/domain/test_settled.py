"""Settled lines: the cases that the page holds to as well, any cutting, bounded memory."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.domain.settled import Settler, settle

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "payloads" / "terminal_cases.json").read_text()
)["cases"]
SGR = re.compile(r"\x1b\[[0-9;:]*m")

# What output is made of that moves about, and what is cut in an unlucky place.
ATOMS = st.sampled_from(
    [b"a", b"word ", b"\r", b"\n", b"\r\n", b"\b", b"\t", b"\x1b[K", b"\x1b[1K", b"\x1b[2K", b"\x1b[A", b"\x1b[2B",
     b"\x1b[3C", b"\x1b[2D", b"\x1b[5G", b"\x1b[J", b"\x1b[1F", b"\x1b[E", b"\x1b[31m", b"\x1b[1;38;5;9m", b"\x1b[0m",
     b"\x1b]0;title\x07", b"\x1b]8;;x\x1b\\", b"\x1b(B", b"\x1b[?25l", b"\x1b", b"[", b"\x1b[", b"\x07", b"\x00",
     "水".encode(), "é".encode(), "e\u0301".encode(), b"\xe6", b"\xb0\xff", b"line\n" * 70]
)  # fmt: skip
TEXTS = st.lists(ATOMS, max_size=60).map(b"".join)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_case(case: dict[str, Any]) -> None:
    """As a terminal shows it."""
    settler = Settler()
    text = b"".join(settler.feed(piece.encode()) for piece in case["input"]) + settler.close()
    lines = text.decode().split("\n")
    shown = lines if lines[-1] else lines[:-1]
    assert [SGR.sub("", line) for line in shown] == case["lines"]
    assert shown == case.get("styled", shown)


@given(TEXTS, st.lists(st.integers(0, 600), max_size=20))
def test_any_cutting_gives_the_same(text: bytes, cuts: list[int]) -> None:
    """Wherever the pieces end, also within a character or an escape sequence."""
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    settler = Settler()
    pieces = [settler.feed(text[a:b]) for a, b in pairwise(places)]
    assert b"".join(pieces) + settler.close() == settle(text)
    single = Settler()
    assert b"".join(single.feed(text[i : i + 1]) for i in range(len(text))) + single.close() == settle(text)


@given(TEXTS)
def test_settled_text_is_settled(text: bytes) -> None:
    """Nothing in it moves a cursor: it settles to itself."""
    once = settle(text)
    assert settle(once) == once
    assert not set(re.sub(rb"\x1b\[[0-9;:]*m", b"", once)) & ({*range(32), 127} - {*b"\t\n"})


@given(
    st.lists(
        st.sampled_from([b"text", b"\xff\xe6", "水".encode(), b"\t", b"\n", b"\x1b[31m", b"\x1b[m"])
    ).map(b"".join)
)
def test_text_without_moves_is_untouched(text: bytes) -> None:
    """Byte for byte, also what is no UTF-8."""
    assert settle(text) == text


@given(TEXTS, TEXTS)
def test_another_settler_goes_on_where_one_had_settled(before: bytes, after: bytes) -> None:
    """`settled` never lies behind what was given out: the text between is what is still held."""
    settler = Settler(1000)
    settler.feed(before)
    settler.release()
    at = settler.settled - 1000
    assert 0 <= at <= len(before)
    if b"\x1b" not in before and b"\b" not in before:
        rest = Settler(1000 + at)
        assert rest.feed(before[at:] + after) + rest.close() == settler.feed(after) + settler.close()


def test_a_line_rewritten_a_million_times_is_one_line() -> None:
    """And what is held does not grow."""
    settler = Settler()
    piece = b"".join(b"\r%3d %%" % (number % 101) for number in range(1000))
    for _ in range(1000):
        assert settler.feed(piece) == b""
    assert _held(settler) < 10_000
    assert settler.feed(b"\rdone \nnext") + settler.close() == b"done \nnext"


@pytest.mark.parametrize(
    "text", [b"x", b"ab\tc", "水".encode(), b"\x1b[31mx\x1b[0m", b"x\r", b"\x1b[K", b"x\x1b]"]
)
def test_a_line_without_end_is_bounded(text: bytes) -> None:
    """What goes beyond the widest row is given out, joined to what follows, and does not go on growing."""
    settler = Settler()
    piece = text * (64 * 1024 // len(text))
    size = 0
    for _ in range(30):
        size += len(settler.feed(piece))
        assert _held(settler) < 3_000_000
    if text == b"x":
        assert size > 29 * len(piece) - 64 * 16 * 1024
        assert settler.close() == b"x" * (30 * len(piece) - size)


def test_a_carriage_return_goes_to_the_start_of_the_widest_row() -> None:
    """As on a terminal that is so wide."""
    wide, long = 4096, 5 * 4096
    assert settle(b"a" * (long + 10) + b"\rb\n") == b"a" * long + b"b" + b"a" * 9 + b"\n"
    assert settle(b"a" * wide + b"\rb\n") == b"b" + b"a" * (wide - 1) + b"\n"


def test_the_cursor_goes_back_to_the_first_row_that_is_held() -> None:
    """64 rows can be rewritten, the last one included."""
    lines = [b"line %d\n" % number for number in range(100)]
    settled = settle(b"".join(lines) + b"\x1b[500A\rLINE").split(b"\n")
    assert settled[36] == b"line 36"
    assert settled[37] == b"LINE 37"


def test_whole_rows_are_released_on_demand() -> None:
    """For those who watch: what is above the cursor, without waiting for rows to follow."""
    settler = Settler()
    assert settler.feed(b"one\ntwo\n50%") == b""
    assert settler.release() == b"one\ntwo\n"
    assert settler.settled == 8
    assert settler.feed(b"\r60%") + settler.release() == b""
    assert settler.feed(b"\nthree\n") == b""
    assert settler.release() == b"60%\nthree\n"
    assert settler.feed(b"\x1b[5Aup\n") == b""
    assert settler.close() == b"up\n"


def _held(settler: Settler) -> int:
    """Roughly, what it holds."""
    import pickle

    state: Any = settler
    return len(pickle.dumps([(row._cells, row._raw) for row in state._screen.rows])) + len(state._rest)
