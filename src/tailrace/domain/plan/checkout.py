"""`checkout:` of a job: whether, how much of the history, and what with submodules."""

from __future__ import annotations

from typing import NamedTuple

from tailrace.domain.plan.errors import Problems, shown
from tailrace.domain.plan.keys import CHECKOUT_KEYS, known_entries
from tailrace.domain.plan.model import Submodules
from tailrace.domain.plan.nodes import Entry, Mapping, Node, Scalar, describe
from tailrace.domain.plan.values import read_boolean

MAX_DEPTH = 1_000_000
_SUBMODULES: dict[str, Submodules] = {"false": "none", "true": "direct", "recursive": "recursive"}


class Wanted(NamedTuple):
    """What is checked out; `depth` 0 is the whole history."""

    checkout: bool = True
    depth: int = 1
    submodules: Submodules = "none"


def read_checkout(entry: Entry | None, subject: str, problems: Problems) -> Wanted:
    """Read the key; `subject` is the job in words."""
    if entry is None:
        return Wanted()
    what = f'"checkout" of {subject}'
    if not isinstance(entry.value, Mapping):
        wanted = read_boolean(entry.value, what, problems)
        return Wanted(checkout=wanted is not False)
    entries = known_entries(entry.value, CHECKOUT_KEYS, what, problems)
    depth = _depth(entries["depth"].value, f'"depth" in {what}', problems) if "depth" in entries else 1
    submodules: Submodules = "none"
    if "submodules" in entries:
        submodules = _submodules(entries["submodules"].value, f'"submodules" in {what}', problems)
    return Wanted(True, depth, submodules)


def _depth(node: Node, subject: str, problems: Problems) -> int:
    text = node.text if isinstance(node, Scalar) and not node.is_null else ""
    if text == "all":
        return 0
    if text.isascii() and text.isdigit() and len(text) < 10 and 0 < int(text) <= MAX_DEPTH:
        return int(text)
    problems.add(
        node.place,
        f'{subject} must be a number of commits, 1 to {MAX_DEPTH}, or "all"; found {describe(node)}',
    )
    return 1


def _submodules(node: Node, subject: str, problems: Problems) -> Submodules:
    found = _SUBMODULES.get(node.text) if isinstance(node, Scalar) and not node.is_null else None
    if found is None:
        problems.add(
            node.place, f"{subject} must be true, false or {shown('recursive')}; found {describe(node)}"
        )
    return found or "none"
