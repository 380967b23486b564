"""`allow_failure` of a job: whether the run goes on as if it had passed."""

from __future__ import annotations

from tailrace.domain.plan.errors import Problems
from tailrace.domain.plan.nodes import Entry, Scalar
from tailrace.domain.plan.values import read_boolean


def read_allow_failure(entry: Entry | None, subject: str, problems: Problems) -> bool:
    """Read the key; an empty text, which a name of the matrix can stand for, is false."""
    if entry is None or (isinstance(entry.value, Scalar) and entry.value.text == ""):
        return False
    return read_boolean(entry.value, f'"allow_failure" of {subject}', problems) is True
