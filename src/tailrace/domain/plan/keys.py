"""The words of a plan file: which key may stand where, and what to say about any other."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches

from tailrace.domain.plan.errors import Problems, shown
from tailrace.domain.plan.nodes import Entry, Mapping


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one level of the file: those understood, and those whose meaning is settled but not built."""

    level: str
    allowed: tuple[str, ...]
    not_yet: frozenset[str]


def _in_order(text: str) -> tuple[str, ...]:
    return tuple(sorted(text.split()))


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


PLAN_KEYS = Keys(
    level="the plan",
    allowed=_in_order(
        "concurrency defaults jobs limits log max_parallel on parameters priority shell variables workspace"
    ),
    not_yet=_words(
        """encoding environment environments finally matrix
        notify output retry secrets"""
    ),
)
JOB_KEYS = Keys(
    level="a job",
    allowed=_in_order(
        """allow_failure checkout concurrency environment fail_fast finally idle_timeout if labels limits log matrix
        max_parallel needs outputs retry secrets shell start_timeout steps timeout variables working_directory workspace"""
    ),
    not_yet=_words("continue_on_error defaults encoding environments output parameters priority pty user"),
)
STEP_KEYS = Keys(
    level="a step",
    allowed=_in_order("artifacts continue_on_error env id if name pty run shell timeout working_directory"),
    not_yet=_words(
        """allow_failure deploy encoding finally group
        idle_timeout image output retry secrets user"""
    ),
)
CHECKOUT_KEYS = Keys(level="a checkout", allowed=("depth", "submodules"), not_yet=_words("lfs path"))
CONCURRENCY_KEYS = Keys(
    level="a concurrency group", allowed=("cancel_superseded", "group"), not_yet=_words("max_parallel")
)
RETRY_KEYS = Keys(level="a retry", allowed=("delay", "max", "on"), not_yet=frozenset())
FINALLY_KEYS = Keys(level='"finally"', allowed=("steps", "timeout"), not_yet=frozenset())
LOG_KEYS = Keys(level='"log"', allowed=("limit", "when_full"), not_yet=frozenset())
ARTIFACTS_KEYS = Keys(
    level='"artifacts"',
    allowed=("from", "keep", "optional", "paths", "to"),
    not_yet=frozenset(),
)
LIMITS_KEYS = Keys(level='"limits"', allowed=("cpu", "memory", "processes"), not_yet=_words("disk"))
DEFAULTS_KEYS = Keys(
    level='"defaults"',
    allowed=_in_order("checkout idle_timeout labels retry start_timeout timeout working_directory"),
    not_yet=_words("allow_failure environment if secrets"),
)
ON_KEYS = Keys(
    level='"on"',
    allowed=_in_order("manual pull_request push schedule tag workflow"),
    not_yet=frozenset(),
)
EVENT_KEYS = {
    "push": Keys(level='"on.push"', allowed=("branches", "paths"), not_yet=frozenset()),
    "tag": Keys(level='"on.tag"', allowed=("tags",), not_yet=frozenset()),
    "pull_request": Keys(
        level='"on.pull_request"', allowed=("actions", "branches", "paths"), not_yet=frozenset()
    ),
    "workflow": Keys(
        level='"on.workflow"', allowed=("actions", "branches", "conclusions", "names"), not_yet=frozenset()
    ),
}
PARAMETER_KEYS = Keys(
    level="a parameter",
    allowed=("choices", "default", "description", "max", "min", "type"),
    not_yet=frozenset(),
)
SCHEDULE_KEYS = Keys(level='"on.schedule"', allowed=("branch", "cron", "zone"), not_yet=frozenset())
LEVELS = (
    PLAN_KEYS,
    JOB_KEYS,
    STEP_KEYS,
    CHECKOUT_KEYS,
    CONCURRENCY_KEYS,
    RETRY_KEYS,
    FINALLY_KEYS,
    LOG_KEYS,
    ARTIFACTS_KEYS,
    LIMITS_KEYS,
    ON_KEYS,
    *EVENT_KEYS.values(),
    SCHEDULE_KEYS,
    PARAMETER_KEYS,
)

# What other systems call the same thing: too far apart for a comparison of letters.
_ELSEWHERE = {
    "command": "run",
    "commands": "run",
    "cron": "schedule",
    "depends_on": "needs",
    "env": "variables",
    "merge_request": "pull_request",
    "runs-on": "labels",
    "script": "run",
    "tags": "labels",
    "timeout-minutes": "timeout",
    "vars": "variables",
    "when": "if",
    "workflow_dispatch": "manual",
    "workflow_run": "workflow",
}


def known_entries(mapping: Mapping, keys: Keys, subject: str, problems: Problems) -> dict[str, Entry]:
    """Return the entries that `keys` allows, and add a problem for each other one.

    `subject` names the mapping in messages: `the plan`, `job "test"`, `step 2 of job "test"`.
    """
    known: dict[str, Entry] = {}
    for entry in mapping.entries:
        if entry.key in keys.allowed:
            known[entry.key] = entry
        else:
            hint = _hint(entry.key, keys, problems)
            problems.add(entry.place, _refusal(entry.key, keys, subject, hint))
    return known


def did_you_mean(word: str, candidates: Collection[str], problems: Problems) -> str | None:
    """Return the candidate that `word` was probably meant to be."""
    # Comparing takes time, and a file can be made to want it very often; no slip of a finger is so long.
    if len(word) > 100 or not problems.may_compare(len(word) * sum(map(len, candidates))):
        return None
    return next(iter(get_close_matches(word, candidates, n=1)), None)


def _refusal(key: str, keys: Keys, subject: str, hint: str) -> str:
    allowed = f"allowed here: {', '.join(keys.allowed)}"
    if key in keys.not_yet:
        return f"{shown(key)} in {subject} is not supported yet; {allowed}"
    return f"unknown key {shown(key)} in {subject}; {hint}{allowed}"


def _hint(key: str, keys: Keys, problems: Problems) -> str:
    meant = _ELSEWHERE.get(key)
    homes = [other.level for other in LEVELS if key in other.allowed]
    if homes and meant not in keys.allowed:
        return f"it belongs in {' or '.join(homes)}; "
    if meant not in keys.allowed:
        meant = did_you_mean(key, [*keys.allowed, *sorted(keys.not_yet)], problems)
    if meant is None:
        return ""
    return f"did you mean {shown(meant)}{', which is not supported yet' if meant in keys.not_yet else ''}? "
