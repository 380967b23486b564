from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tailrace.runner.characters import unfinished


@given(text=st.text(max_size=20), cut=st.integers(0, 80))
def test_text_is_cut_only_between_characters(text: str, cut: int) -> None:
    """Without the unfinished bytes, any beginning of UTF-8 decodes; at most three bytes are held back."""
    beginning = text.encode("utf-8", "surrogatepass")[:cut]
    held = unfinished(beginning)
    assert 0 <= held <= 3
    beginning[: len(beginning) - held].decode("utf-8", "surrogatepass")


@given(data=st.binary(max_size=10))
def test_whole_characters_are_not_held_back(data: bytes) -> None:
    """After a whole character nothing is held back, whatever came before it."""
    for character in ("a", "é", "語", "🙂"):
        assert unfinished(data + character.encode()) == 0


def test_bytes_that_begin_no_character_are_not_held_back() -> None:
    """Stray continuation bytes and bytes that UTF-8 never uses would wait for nothing."""
    assert [unfinished(data) for data in (b"", b"\x80", b"\x80\x80\x80\x80", b"\xff", b"\xc0", b"\xf5")] == [
        0
    ] * 6
    assert [unfinished(data) for data in (b"a\xc3", b"\xe8\xaa", b"\xf0\x9f\x99")] == [1, 2, 3]
