"""Labels as people give them to agents and tokens."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tailrace.api.agents import ChangeWish, TokenWish


@pytest.mark.parametrize("wrong", ["!", "", "-x", "x" * 101, "a b", "a\n"])
def test_a_wrong_label_is_named_with_what_is_allowed(wrong: str) -> None:
    """Wherever labels are given; it is shown as it came, and no more of it than could be one."""
    for kind in (ChangeWish, TokenWish):
        with pytest.raises(ValidationError) as refused:
            kind.model_validate({"labels": ["a", "zone/prod", wrong]})
        (fault,) = refused.value.errors()
        assert fault["loc"] == ("labels", 2)
        assert fault["msg"].startswith(f"{wrong!r} cannot be a label; allowed: 1 to 100 letters, digits")
    assert ChangeWish.model_validate({"labels": ["a", "x" * 100]}).labels == ("a", "x" * 100)
