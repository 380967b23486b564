"""The key `log` of a plan or a job: how long a log may become, and what happens then."""

from __future__ import annotations

from typing import Literal

from tailrace.domain.plan.errors import Problems
from tailrace.domain.plan.keys import LOG_KEYS, known_entries
from tailrace.domain.plan.model import MAX_LOG_BYTES, LogSpec
from tailrace.domain.plan.nodes import Entry, Mapping, Node, Scalar, describe
from tailrace.domain.sizes import SIZE_FORMS, parse_size

_WHEN_FULL: dict[str, Literal["fail", "drop"]] = {"fail": "fail", "drop": "drop"}


def read_log(entry: Entry | None, subject: str, default: LogSpec, problems: Problems) -> LogSpec:
    """Read `{limit: 1GiB, when_full: fail}`; what it does not say is as in `default`."""
    if entry is None:
        return default
    name = f'"log" of {subject}'
    if not isinstance(entry.value, Mapping):
        problems.add(
            entry.value.place,
            f'{name} must be a mapping with "limit" and "when_full"; found {describe(entry.value)}',
        )
        return default
    entries = known_entries(entry.value, LOG_KEYS, name, problems)
    limit = _limit(entries["limit"].value, f'"limit" in {name}', problems) if "limit" in entries else None
    when = entries.get("when_full")
    full = _when_full(when.value, f'"when_full" in {name}', problems) if when else None
    return LogSpec(limit=limit or default.limit, when_full=full or default.when_full)


def _limit(node: Node, subject: str, problems: Problems) -> int | None:
    size = parse_size(node.text) if isinstance(node, Scalar) else None
    if size is None:
        problems.add(node.place, f"{subject} must be a size; found {describe(node)}; allowed: {SIZE_FORMS}")
        return None
    if not 0 < size <= MAX_LOG_BYTES:
        problems.add(
            node.place,
            f"{subject} must be more than 0 and at most 1024GiB; found {describe(node)}",
        )
        return None
    return size


def _when_full(node: Node, subject: str, problems: Problems) -> Literal["fail", "drop"] | None:
    choice = _WHEN_FULL.get(node.text) if isinstance(node, Scalar) else None
    if choice is None:
        problems.add(
            node.place,
            f"{subject} must be fail (the job ends) or drop (it goes on, and what follows is not kept);"
            f" found {describe(node)}",
        )
    return choice
