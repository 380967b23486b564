"""What people may ask of a run that they start."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tailrace.api.runs import RunWish


def test_variables_have_room_together_for_what_reaches_a_program() -> None:
    """Each may be long, not all of them."""
    long = "ü" * 60_000
    assert RunWish(plan=1, variables={f"V{n}": long for n in range(8)}).variables["V7"] == long
    with pytest.raises(ValidationError, match="together they may have 1 MiB"):
        RunWish(plan=1, variables={f"V{n}": long for n in range(9)})
