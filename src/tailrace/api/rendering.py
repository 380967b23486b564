"""How a log is written in an answer: as its bytes, or as settled lines."""

from __future__ import annotations

from collections.abc import Mapping

from tailrace.domain.errors import Invalid


def renders_lines(query: Mapping[str, str]) -> bool:
    """Whether `render=lines` is asked for; raises Invalid for anything else that is to be rendered."""
    wanted = query.get("render")
    if wanted not in (None, "lines"):
        raise Invalid(
            f"render: {wanted[:40]!r} is unknown; allowed is lines, and nothing for the bytes as they are"
        )
    return wanted is not None
