"""Text from outside is made fit for every database."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tailrace.domain.text import storable

ANY = st.text(st.characters())  # lone surrogates and NUL too


@given(text=ANY)
def test_any_text_becomes_utf_8_without_nul(text: str) -> None:
    assert b"\0" not in storable(text).encode()
    assert storable(storable(text)) == storable(text)


@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_text_that_can_be_stored_is_left_alone(text: str) -> None:
    assert storable(text) == text
