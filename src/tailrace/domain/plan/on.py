"""`on` of a plan: which events start runs of it."""

from __future__ import annotations

from typing import Any

from tailrace.domain.artifacts import fault_of_path
from tailrace.domain.cron import parse_cron, read_zone
from tailrace.domain.errors import Invalid
from tailrace.domain.filters import Filter, On, Schedule, same_action
from tailrace.domain.plan.errors import Problems, listed, shown
from tailrace.domain.plan.keys import EVENT_KEYS, ON_KEYS, SCHEDULE_KEYS, Keys, known_entries
from tailrace.domain.plan.nodes import Entry, Items, Mapping, Node, Scalar, describe
from tailrace.domain.plan.values import read_names, read_text

MAX_PATTERNS = 100
MAX_SCHEDULES = 20
ACTIONS = {
    "pull_request": ("closed", "merged", "opened", "ready_for_review", "reopened", "updated"),
    "workflow": ("completed", "in_progress", "queued", "requested", "waiting"),
}


def read_on(entry: Entry | None, problems: Problems) -> On | None:
    """Read an event's name, a list of names, or a mapping of names to filters; None where the plan has no `on`."""
    if entry is None:
        return None
    what, node = '"on" of the plan', entry.value
    if isinstance(node, Mapping) and node.entries:
        entries = known_entries(node, ON_KEYS, what, problems)
        read: dict[str, Any] = {
            kind: _filter(one, EVENT_KEYS[kind], problems)
            for kind, one in entries.items()
            if kind in EVENT_KEYS
        }
        if "schedule" in entries:
            read["schedule"] = _schedules(entries["schedule"], problems)
        _manual(entries.get("manual"), problems)
        return On(**read)
    if (isinstance(node, Items) and not node.items) or isinstance(node, Mapping) or _is_null(node):
        problems.add(
            entry.place,
            f"{what} is empty; allowed: {listed(ON_KEYS.allowed)}; with manual alone only people start runs",
        )
        return None
    kinds: dict[str, Any] = {}
    for name, place in read_names(node, what, problems):
        if name == "schedule":
            problems.add(place, f'{what} has "schedule" without times; write schedule: "0 20 * * *"')
        elif name not in ON_KEYS.allowed:
            problems.add(place, f"{what} names {shown(name)}; allowed: {listed(ON_KEYS.allowed)}")
        elif name != "manual":
            kinds[name] = Filter()
    return On(**kinds)


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.is_null


def _manual(entry: Entry | None, problems: Problems) -> None:
    if (
        entry is None
        or _is_null(entry.value)
        or (isinstance(entry.value, Mapping) and not entry.value.entries)
    ):
        return
    problems.add(
        entry.value.place,
        f'"on.manual" of the plan has nothing to say; found {describe(entry.value)}; write manual: {{}}',
    )


def _filter(entry: Entry, keys: Keys, problems: Problems) -> Filter:
    what = f'"on.{entry.key}" of the plan'
    node = entry.value
    if _is_null(node):
        return Filter()
    if not isinstance(node, Mapping):
        problems.add(
            node.place,
            f"{what} must be a mapping with {' or '.join(map(shown, keys.allowed))}, or empty: {{}}; found {describe(node)}",
        )
        return Filter()
    entries = known_entries(node, keys, what, problems)
    read: dict[str, tuple[str, ...]] = {}
    for key, one in entries.items():
        subject = f'"on.{entry.key}.{key}" of the plan'
        if key == "actions":
            read[key] = _actions(one, ACTIONS[entry.key], subject, problems)
        else:
            read[key] = _patterns(one, subject, key == "paths", problems)
    return Filter(**read)


def _actions(entry: Entry, allowed: tuple[str, ...], what: str, problems: Problems) -> tuple[str, ...]:
    actions: list[str] = []
    for name, place in read_names(entry.value, what, problems):
        action = same_action(name)
        if action in allowed:
            actions.append(action)
        else:
            problems.add(place, f"{what} names {shown(name)}; allowed: {listed(allowed)}")
    return tuple(dict.fromkeys(actions))


def _patterns(entry: Entry, what: str, paths: bool, problems: Problems) -> tuple[str, ...]:
    read = read_names(entry.value, what, problems)
    if len(read) > MAX_PATTERNS:
        problems.add(
            read[MAX_PATTERNS][1], f"{what} may hold at most {MAX_PATTERNS} patterns; found {len(read)}"
        )
        return ()
    if not read and isinstance(entry.value, Items) and not entry.value.items:
        problems.add(entry.value.place, f"{what} is empty; leave it out, or write at least one pattern")
    patterns: list[str] = []
    for text, place in read:
        pattern = text.removeprefix("!")
        fault = fault_of_path(pattern.removesuffix("/")) if paths else _fault_of_name(pattern)
        if fault is not None:
            problems.add(place, f"{shown(text)} in {what} {fault}")
        else:
            patterns.append(text)
    return tuple(patterns)


def _fault_of_name(pattern: str) -> str | None:
    if not pattern:
        return "is empty"
    if pattern.startswith("refs/"):
        return "is a full ref; write the branch's or tag's own name, such as main"
    if len(pattern) > 500 or not pattern.isprintable():
        return "is no pattern; allowed: 1 to 500 printable characters"
    return None


def _schedules(entry: Entry, problems: Problems) -> tuple[Schedule, ...]:
    what = '"on.schedule" of the plan'
    nodes = entry.value.items if isinstance(entry.value, Items) else (entry.value,)
    if not nodes or len(nodes) > MAX_SCHEDULES:
        problems.add(entry.place, f"{what} must have 1 to {MAX_SCHEDULES} times; found {len(nodes)}")
        return ()
    found = (_schedule(node, what, problems) for node in nodes)
    return tuple(one for one in found if one is not None)


def _schedule(node: Node, what: str, problems: Problems) -> Schedule | None:
    if not isinstance(node, Mapping):
        cron = _cron(node, what, problems)
        return None if cron is None else Schedule(cron=cron)
    entries = known_entries(node, SCHEDULE_KEYS, what, problems)
    if "cron" not in entries:
        problems.add(node.place, f'{what} has no "cron"; write cron: "0 20 * * *"')
        return None
    cron = _cron(entries["cron"].value, f'"cron" in {what}', problems)
    zone = _zone(entries["zone"], f'"zone" in {what}', problems) if "zone" in entries else None
    branch = entries.get("branch")
    name = read_text(branch.value, f'"branch" in {what}', problems) if branch else None
    return None if cron is None else Schedule(cron=cron, zone=zone, branch=name)


def _cron(node: Node, what: str, problems: Problems) -> str | None:
    text = read_text(node, what, problems)
    if text is None:
        return None
    try:
        return parse_cron(text).text
    except Invalid as error:
        problems.add(node.place, f"{what}: {_printable(str(error))}")
        return None


def _zone(entry: Entry, what: str, problems: Problems) -> str | None:
    text = read_text(entry.value, what, problems)
    if text is None:
        return None
    try:
        return read_zone(text).key
    except Invalid as error:
        problems.add(entry.value.place, f"{what}: {_printable(str(error))}")
        return None


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
