"""Values that no file can hold as they are, but escapes can make."""

from __future__ import annotations

import pytest

from tailrace.domain.plan.errors import Place, Problems
from tailrace.domain.plan.nodes import Scalar
from tailrace.domain.plan.values import read_text


@pytest.mark.parametrize("half", [0xD800, 0xDBFF, 0xDC00, 0xDFFF])
def test_half_of_a_character_is_refused_where_a_loader_lets_its_escape_through(half: int):
    problems = Problems()
    assert read_text(Scalar(Place(2, 3), f"a{chr(half)}", plain=False), "it", problems) is None
    assert [str(error) for error in problems.as_errors("p")] == [
        "p:2:3: it holds half of a character (an escape from \\uD800 to \\uDFFF)"
    ]
