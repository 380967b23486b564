"""What the documentation says of speed."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs"
_SPEED = re.compile(r"\d ?[KMG]i?B(/s| a second| per second)")


def test_measured_throughput_is_told_in_one_place() -> None:
    """The page of performance, which is measured anew: a second place would come to say something else."""
    telling = [page.name for page in DOCS.glob("*.md") if _SPEED.search(page.read_text())]
    assert telling == ["performance.md"]
