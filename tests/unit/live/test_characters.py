"""Where UTF-8 may be cut."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from tailrace.live.characters import unfinished, utf16_units

awkward = st.lists(
    st.sampled_from(
        [
            b"a",
            "é".encode(),
            "汉".encode(),
            "🙂".encode(),
            b"\xe6\xb1",
            b"\xf0\x9f",
            b"\x80",
            b"\xff",
            b"\xed\xa0",
        ]
    )
).map(b"".join)


def could_be_finished(data: bytes) -> bool:
    """Whether some bytes behind `data` make it one character; tried with the limits of what may follow."""
    follows = [
        bytes(tail)
        for length in (1, 2, 3)
        for tail in product((0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF), repeat=length)
    ]
    for follow in follows:
        try:
            if len((data + follow).decode()) == 1:
                return True
        except UnicodeDecodeError:
            pass
    return False


@given(st.binary(max_size=12) | awkward)
def test_it_holds_back_what_more_bytes_could_finish(data: bytes) -> None:
    """No more and no fewer; what can never become a character is not delayed."""
    lengths = [length for length in (1, 2, 3) if length <= len(data) and could_be_finished(data[-length:])]
    assert unfinished(data) == max(lengths, default=0)


@given(awkward, awkward)
def test_a_cut_before_what_is_held_back_changes_no_text(left: bytes, right: bytes) -> None:
    """Both sides, decoded apart, are the whole, decoded at once."""
    held = unfinished(left)
    cut = len(left) - held
    whole = left + right
    apart = whole[:cut].decode("utf-8", "replace") + whole[cut:].decode("utf-8", "replace")
    assert apart == whole.decode("utf-8", "replace")


def test_lengths_are_those_of_javascript() -> None:
    """A character outside the basic plane counts as two."""
    assert [utf16_units(text) for text in ("", "abc", "é汉", "a🙂b")] == [0, 3, 2, 4]
