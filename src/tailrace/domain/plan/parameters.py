"""`parameters` of a plan: what people are asked when they start a run."""

from __future__ import annotations

import re

from tailrace.domain.parameters import KINDS, MAX_PARAMETERS, Parameter, ParameterKind, fault_of
from tailrace.domain.plan.errors import Problems, listed, shown
from tailrace.domain.plan.keys import PARAMETER_KEYS, known_entries
from tailrace.domain.plan.nodes import Entry, Mapping, Scalar, describe
from tailrace.domain.plan.values import read_names, read_text
from tailrace.domain.secrets import NAME_RULE, is_name

MAX_DESCRIPTION = 500
MAX_CHOICES = 100
_KINDS: dict[str, ParameterKind] = {kind: kind for kind in KINDS}
_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")


def read_parameters(entry: Entry | None, problems: Problems) -> dict[str, Parameter]:
    """Read a mapping of names to a default, to a mapping with `type`, or to nothing (a text without a default)."""
    if entry is None:
        return {}
    what, node = '"parameters" of the plan', entry.value
    if not isinstance(node, Mapping):
        problems.add(
            node.place, f"{what} must be a mapping of names to what is asked for; found {describe(node)}"
        )
        return {}
    if len(node.entries) > MAX_PARAMETERS:
        place = node.entries[MAX_PARAMETERS].place
        problems.add(place, f"{what} may hold at most {MAX_PARAMETERS}; found {len(node.entries)}")
        return {}
    found: dict[str, Parameter] = {}
    for one in node.entries:
        if not is_name(one.key):
            problems.add(one.place, f"{shown(one.key)} in {what} cannot name one; allowed: {NAME_RULE}")
        else:
            found[one.key] = _parameter(one, f"parameter {shown(one.key)}", problems)
    return found


def _parameter(entry: Entry, what: str, problems: Problems) -> Parameter:
    node = entry.value
    if isinstance(node, Scalar):
        return Parameter() if node.is_null else Parameter(default=read_text(node, what, problems))
    if not isinstance(node, Mapping):
        problems.add(
            node.place,
            f'{what} must be a text, its default, or a mapping with "type"; found {describe(node)}',
        )
        return Parameter()
    entries = known_entries(node, PARAMETER_KEYS, what, problems)
    kind = _kind(entries.get("type"), what, problems)
    choices = _choices(entries, kind, entry, what, problems)
    least = _number(entries.get("min"), kind, what, problems)
    most = _number(entries.get("max"), kind, what, problems)
    if least is not None and most is not None and least > most:
        problems.add(entries["max"].place, f'"max" of {what} is less than its "min"')
        least = most = None
    asked = Parameter(
        kind=kind,
        description=_description(entries.get("description"), what, problems),
        choices=choices,
        least=least,
        most=most,
    )
    default = _default(entries.get("default"), asked, what, problems)
    return asked.model_copy(update={"default": default})


def _kind(entry: Entry | None, what: str, problems: Problems) -> ParameterKind:
    if entry is None:
        return "string"
    kind = _KINDS.get(entry.value.text) if isinstance(entry.value, Scalar) else None
    if kind is None:
        problems.add(
            entry.value.place,
            f'"type" of {what} must be one of {listed(KINDS)}; found {describe(entry.value)}',
        )
    return kind or "string"


def _description(entry: Entry | None, what: str, problems: Problems) -> str:
    text = read_text(entry.value, f'"description" of {what}', problems) if entry else None
    if entry is not None and text is not None and len(text) > MAX_DESCRIPTION:
        problems.add(
            entry.value.place,
            f'"description" of {what} may have {MAX_DESCRIPTION} characters; found {len(text)}',
        )
    return text or ""


def _choices(
    entries: dict[str, Entry], kind: ParameterKind, entry: Entry, what: str, problems: Problems
) -> tuple[str, ...]:
    given = entries.get("choices")
    if kind != "choice":
        if given is not None:
            problems.add(given.place, f'{what} has "choices", which are for type: choice; its type is {kind}')
        return ()
    choices = (
        tuple(name for name, _ in read_names(given.value, f'"choices" of {what}', problems)) if given else ()
    )
    if not 0 < len(choices) <= MAX_CHOICES or len(set(choices)) != len(choices):
        place = given.value.place if given else entry.place
        problems.add(
            place, f'"choices" of {what} must be 1 to {MAX_CHOICES} different texts; found {len(choices)}'
        )
    return choices


def _number(entry: Entry | None, kind: ParameterKind, what: str, problems: Problems) -> float | None:
    if entry is None:
        return None
    if kind != "number":
        problems.add(
            entry.place, f"{what} has {shown(entry.key)}, which is for type: number; its type is {kind}"
        )
        return None
    text = entry.value.text if isinstance(entry.value, Scalar) else ""
    if not _NUMBER.fullmatch(text):
        problems.add(
            entry.value.place, f"{shown(entry.key)} of {what} must be a number; found {describe(entry.value)}"
        )
        return None
    return float(text)


def _default(entry: Entry | None, asked: Parameter, what: str, problems: Problems) -> str | None:
    if entry is None:
        return None
    if asked.kind == "secret":
        problems.add(
            entry.place,
            f'{what} is secret and has a "default", which everybody could read; a secret of the project with its name is one',
        )
        return None
    text = read_text(entry.value, f'"default" of {what}', problems)
    fault = None if text is None else fault_of(asked, text)
    if fault is not None and (asked.kind != "choice" or asked.choices):
        problems.add(entry.value.place, f'"default" of {what} {fault}')
        return None
    return text
