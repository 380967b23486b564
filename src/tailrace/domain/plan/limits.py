"""The key `limits` of a plan or a job: the most memory, processes and processor time that a job may take."""

from __future__ import annotations

import re

from tailrace.domain.plan.errors import Problems
from tailrace.domain.plan.keys import LIMITS_KEYS, known_entries
from tailrace.domain.plan.model import (
    LEAST_CPU,
    LEAST_MEMORY_BYTES,
    LEAST_PROCESSES,
    MAX_CPU,
    MAX_MEMORY_BYTES,
    MAX_PROCESSES,
    LimitsSpec,
)
from tailrace.domain.plan.nodes import Entry, Mapping, Node, Scalar, describe
from tailrace.domain.plan.values import read_whole
from tailrace.domain.sizes import SIZE_FORMS, parse_size

_CPU = re.compile(r"[0-9]{1,5}(\.[0-9]{1,2})?")


def read_limits(entry: Entry | None, subject: str, default: LimitsSpec, problems: Problems) -> LimitsSpec:
    """Read `{memory: 2GiB, processes: 500, cpu: 1.5}`; what it does not say is as in `default`."""
    if entry is None:
        return default
    name = f'"limits" of {subject}'
    if not isinstance(entry.value, Mapping):
        problems.add(
            entry.value.place,
            f'{name} must be a mapping with "memory", "processes" and "cpu"; found {describe(entry.value)}',
        )
        return default
    nodes = {
        key: found.value for key, found in known_entries(entry.value, LIMITS_KEYS, name, problems).items()
    }
    memory = _memory(nodes["memory"], f'"memory" in {name}', problems) if "memory" in nodes else None
    what = f'"processes" in {name}'
    processes = (
        read_whole(nodes["processes"], what, LEAST_PROCESSES, MAX_PROCESSES, problems)
        if "processes" in nodes
        else None
    )
    cpu = _cpu(nodes["cpu"], f'"cpu" in {name}', problems) if "cpu" in nodes else None
    return LimitsSpec(
        memory=memory or default.memory, processes=processes or default.processes, cpu=cpu or default.cpu
    )


def _memory(node: Node, subject: str, problems: Problems) -> int | None:
    size = parse_size(node.text) if isinstance(node, Scalar) else None
    if size is None:
        problems.add(node.place, f"{subject} must be a size; found {describe(node)}; allowed: {SIZE_FORMS}")
        return None
    if not LEAST_MEMORY_BYTES <= size <= MAX_MEMORY_BYTES:
        problems.add(node.place, f"{subject} must be from 4MiB to 1048576GiB; found {describe(node)}")
        return None
    return size


def _cpu(node: Node, subject: str, problems: Problems) -> float | None:
    text = node.text if isinstance(node, Scalar) else ""
    if _CPU.fullmatch(text) and LEAST_CPU <= float(text) <= MAX_CPU:
        return float(text)
    problems.add(
        node.place,
        f"{subject} must be a number of processors from {LEAST_CPU} to {MAX_CPU} such as 2 or 0.5;"
        f" found {describe(node)}",
    )
    return None
