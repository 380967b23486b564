"""How runs of a plan stand to each other, its jobs, and a job's attempts: `concurrency`, `max_parallel`, `fail_fast`, `retry`."""

from __future__ import annotations

import re

from tailrace.domain.outcome import Reason
from tailrace.domain.plan.errors import Problems, listed, shown
from tailrace.domain.plan.keys import CONCURRENCY_KEYS, RETRY_KEYS, known_entries
from tailrace.domain.plan.model import GROUP_VALUES, Concurrency, Retry
from tailrace.domain.plan.nodes import Entry, Mapping, Scalar, describe
from tailrace.domain.plan.values import read_boolean, read_duration, read_names, read_text, read_whole

MAX_GROUP = 200
MAX_PARALLEL = 1000
RETRIED = tuple(
    reason.value
    for reason in (
        Reason.AGENT_LOST,
        Reason.EXIT_CODE,
        Reason.IDLE_TIMEOUT,
        Reason.OUT_OF_DISK,
        Reason.OUT_OF_MEMORY,
        Reason.OUT_OF_PROCESSES,
        Reason.RUNNER_DIED,
        Reason.RUNNER_FAILED,
        Reason.SETUP_FAILED,
        Reason.SIGNAL,
        Reason.SOURCE_UNREACHABLE,
        Reason.TIMEOUT,
    )
)
_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}?")


def read_concurrency(entry: Entry, subject: str, problems: Problems) -> Concurrency | None:
    """Read the group of the plan or of a job: a text, or a mapping with `group`."""
    what = f'"concurrency" of {subject}'
    node, cancel = entry.value, False
    if isinstance(node, Mapping):
        entries = known_entries(node, CONCURRENCY_KEYS, what, problems)
        if "cancel_superseded" in entries:
            found = entries["cancel_superseded"].value
            cancel = read_boolean(found, f'"cancel_superseded" in {what}', problems) is True
        if "group" not in entries:
            problems.add(node.place, f'{what} has no "group"; it must name one')
            return None
        node, what = entries["group"].value, f'"group" in {what}'
    group = read_text(node, what, problems)
    if group is None:
        return None
    if not group.strip() or len(group) > MAX_GROUP or not group.isprintable():
        problems.add(
            node.place, f"{what} must be 1 to {MAX_GROUP} printable characters; found {shown(group)}"
        )
        return None
    for name in _PLACEHOLDER.findall(group):
        if name not in GROUP_VALUES:
            allowed = listed([f"${{{value}}}" for value in GROUP_VALUES])
            problems.add(node.place, f"{what} names {shown('${' + name + '}')}; allowed: {allowed}")
            return None
    return Concurrency(group=group, cancel_superseded=cancel)


def read_max_parallel(entry: Entry | None, subject: str, most: int, problems: Problems) -> int | None:
    """Read how many runs of the plan, or jobs of a matrix, may be under way at once."""
    return read_whole(entry.value, f'"max_parallel" of {subject}', 1, most, problems) if entry else None


def read_fail_fast(entry: Entry | None, subject: str, problems: Problems) -> bool:
    """Read whether a job of a matrix that fails ends the others."""
    return entry is not None and read_boolean(entry.value, f'"fail_fast" of {subject}', problems) is True


def read_retry(entry: Entry, subject: str, problems: Problems) -> Retry | None:
    """Read a job's retries: a number, or a mapping with `max`, `on` and `delay`."""
    what = f'"retry" of {subject}'
    if isinstance(entry.value, Scalar):
        most = read_whole(entry.value, what, 1, 10, problems)
        return None if most is None else Retry(max=most)
    if not isinstance(entry.value, Mapping):
        problems.add(
            entry.value.place,
            f'{what} must be a number or a mapping with "max", "on" and "delay"; found {describe(entry.value)}',
        )
        return None
    entries = known_entries(entry.value, RETRY_KEYS, what, problems)
    most = read_whole(entries["max"].value, f'"max" in {what}', 1, 10, problems) if "max" in entries else 1
    on: list[str] = []
    for name, place in (
        read_names(entries["on"].value, f'"on" in {what}', problems) if "on" in entries else ()
    ):
        if name in RETRIED:
            on.append(name)
        else:
            problems.add(place, f'"on" in {what} names {shown(name)}; allowed: {listed(RETRIED)}')
    delay_s = None
    if "delay" in entries:
        delay_s = read_duration(entries["delay"].value, f'"delay" in {what}', problems)
    return Retry(max=most or 1, on=tuple(on) or ("agent_lost",), delay_s=delay_s or 0)


def resolve_group(group: str, values: dict[str, str]) -> str:
    """The group's name for one run; a value that the run does not have is empty."""
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], ""), group)
