"""`matrix:` of a job: one job for each combination of values, with `include` and `exclude`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import NamedTuple

from tailrace.domain.matrix import variable_of
from tailrace.domain.plan.errors import Place, Problems, listed, shown
from tailrace.domain.plan.filled import filled
from tailrace.domain.plan.nodes import Entry, Items, Mapping, Node, Scalar, describe
from tailrace.domain.plan.values import read_names, read_text
from tailrace.domain.references import NAME

MAX_COMBINATIONS = 256  # of one matrix
MAX_VALUES = 40_000  # in the jobs of all matrices, each combination counted
MAX_CHARACTERS = 16 * 1024 * 1024  # likewise
MAX_VALUE = 100  # characters
MAX_JOB_NAME = 100
OF_MATRIX = ("fail_fast", "max_parallel")
_AXIS = re.compile(rf"(?=.{{1,50}}$){NAME}")

Values = dict[str, str]


class Variant(NamedTuple):
    """One job that an entry of `jobs` stands for: its name, and the entry with `values` in the place of their names.

    `axes` are all values that a combination of its matrix may have; none where the job has no matrix.
    """

    name: str
    values: Values
    axes: tuple[str, ...]
    entry: Entry


class FoundMatrix(NamedTuple):
    """An entry of `jobs`, without its matrix, and what that is made of: nothing where it has none, or none that can be read."""

    entry: Entry
    at: Entry | None
    combinations: list[_Combination]

    @property
    def jobs(self) -> int:
        return len(self.combinations) or 1


def read_matrix(entry: Entry, problems: Problems) -> FoundMatrix:
    """Read the matrix of an entry of `jobs`; how many jobs all of them make is known before one is made."""
    node = entry.value
    found = (
        next((one for one in node.entries if one.key == "matrix"), None)
        if isinstance(node, Mapping)
        else None
    )
    if found is None or not isinstance(node, Mapping):
        _check_alone(entry, problems)
        return FoundMatrix(entry, None, [])
    rest = replace(node, entries=tuple(one for one in node.entries if one is not found))
    combinations = _combinations(found, f'"matrix" of job {shown(entry.key)}', problems)
    return FoundMatrix(Entry(entry.key, entry.place, rest), found, combinations)


def expand(matrix: FoundMatrix, room: Room, problems: Problems) -> list[Variant]:
    """The jobs that an entry of `jobs` stands for: one, or one for each combination of its matrix."""
    rest, found, combinations = matrix
    alone = [Variant(rest.key, {}, (), rest)]
    if found is None or not combinations:
        return alone
    subject = f"job {shown(rest.key)}"
    if not room.takes(rest.value, len(combinations), found.place, subject, problems):
        return alone
    axes = tuple(dict.fromkeys(axis for one in combinations for axis in one.values))
    _check_variables(axes, found, subject, problems)
    _check_names(rest.key, combinations, found, subject, problems)
    return [
        Variant(one.job(rest.key), one.values, axes, filled(rest, one.values, axes, subject, problems))
        for one in combinations
    ]


def _check_alone(entry: Entry, problems: Problems) -> None:
    if isinstance(entry.value, Mapping):
        for one in entry.value.entries:
            if one.key in OF_MATRIX:
                problems.add(
                    one.place,
                    f'{shown(one.key)} of job {shown(entry.key)} is for the jobs of a matrix, and it has no "matrix"',
                )


class Room:
    """How much the matrices of one plan may make, so that a small file cannot stand for a plan that nobody can hold."""

    def __init__(self) -> None:
        self._values = 0
        self._characters = 0

    def takes(self, node: Node, times: int, place: Place, subject: str, problems: Problems) -> bool:
        """Whether a job fits in that often; adds a problem when it does not."""
        scalars = list(_scalars(node))
        self._values += len(scalars) * times
        self._characters += sum(len(one.text) for one in scalars) * times
        if self._values <= MAX_VALUES and self._characters <= MAX_CHARACTERS:
            return True
        problems.add(
            place,
            f"the plan is too large with the {times} jobs of {subject}: matrices may make {MAX_VALUES:,} values"
            f" and 16 MiB of text of the jobs that have them",
        )
        return False


@dataclass(frozen=True)
class _Combination:
    """`named` are the values in the job's name, `more` those that `include` added."""

    named: Values
    more: Values

    @property
    def values(self) -> Values:
        return {**self.named, **self.more}

    def job(self, name: str) -> str:
        return f"{name} ({', '.join(self.named.values())})"


def _combinations(entry: Entry, what: str, problems: Problems) -> list[_Combination]:
    node = entry.value
    if not isinstance(node, Mapping) or not node.entries:
        found = "an empty mapping" if isinstance(node, Mapping) else describe(node)
        problems.add(node.place, f"{what} must be a mapping of names to lists of values; found {found}")
        return []
    before = len(problems)
    axes = {
        one.key: _axis(one, what, problems) for one in node.entries if one.key not in ("include", "exclude")
    }
    parts = {one.key: one for one in node.entries if one.key in ("include", "exclude")}
    exclude = _rows(parts.get("exclude"), what, problems)
    include = _rows(parts.get("include"), what, problems)
    number = prod(map(len, axes.values()))
    if number + len(include) > MAX_COMBINATIONS:
        problems.add(
            entry.place, f"{what} may have {MAX_COMBINATIONS} combinations; found {number + len(include)}"
        )
    if len(problems) > before:
        return []
    left = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())] if axes else []
    for row in exclude:
        left = _without(left, row, axes, what, problems)
    found = _with(left, [row.values for row in include], axes)
    if not found and len(problems) == before:
        problems.add(entry.place, f'{what} has no combination left: "exclude" takes all of them')
    return found


class _Row(NamedTuple):
    """An item of `include` or `exclude`."""

    place: Place
    values: Values


def _axis(entry: Entry, what: str, problems: Problems) -> list[str]:
    subject = f"{shown(entry.key)} in {what}"
    _check_axis(entry, what, problems)
    values: list[str] = []
    for text, place in read_names(entry.value, subject, problems):
        if text in values:
            problems.add(place, f"{subject} has {shown(text)} twice")
        elif _is_value(text, subject, place, problems):
            values.append(text)
    if isinstance(entry.value, Items) and not entry.value.items:
        problems.add(entry.value.place, f"{subject} is empty; it must have at least one value")
    return values


def _rows(entry: Entry | None, what: str, problems: Problems) -> list[_Row]:
    """Read `include` or `exclude`: a list of mappings of names to values."""
    if entry is None:
        return []
    what = f"{shown(entry.key)} in {what}"
    node = entry.value
    if not isinstance(node, Items) or not node.items:
        found = "an empty list" if isinstance(node, Items) else describe(node)
        problems.add(node.place, f"{what} must be a list of mappings of names to values; found {found}")
        return []
    rows: list[_Row] = []
    for item in node.items:
        if not isinstance(item, Mapping) or not item.entries:
            found = "an empty one" if isinstance(item, Mapping) else describe(item)
            problems.add(item.place, f"each of {what} must be a mapping of names to values; found {found}")
            continue
        values: Values = {}
        for one in item.entries:
            _check_axis(one, what, problems)
            subject = f"{shown(one.key)} in {what}"
            text = read_text(one.value, subject, problems)
            if text is not None and _is_value(text, subject, one.value.place, problems):
                values[one.key] = text
        rows.append(_Row(item.place, values))
    return rows


def _check_axis(entry: Entry, what: str, problems: Problems) -> None:
    if not _AXIS.fullmatch(entry.key):
        problems.add(
            entry.place,
            f"{shown(entry.key)} in {what} cannot name a value; allowed: 1 to 50 letters, digits, _ and -, "
            "beginning with a letter or _",
        )


def _is_value(text: str, subject: str, place: Place, problems: Problems) -> bool:
    # Values stand in names of jobs, and in texts where a placeholder made of them would be filled in turn.
    if text and len(text) <= MAX_VALUE and text.isprintable() and "${" not in text and not text.endswith("$"):
        return True
    problems.add(
        place,
        f"{shown(text)} cannot be a value of {subject}; allowed: one line of 1 to {MAX_VALUE} printable characters, "
        'without "${" and without $ at the end',
    )
    return False


def _without(
    combinations: list[Values], row: _Row, axes: AnyMapping[str, list[str]], what: str, problems: Problems
) -> list[Values]:
    for name in row.values:
        if name not in axes:
            allowed = listed(axes) if axes else "none: the matrix has no lists of values"
            problems.add(row.place, f'"exclude" in {what} names {shown(name)}; allowed: {allowed}')
            return combinations
    left = [one for one in combinations if any(one[name] != value for name, value in row.values.items())]
    if len(left) == len(combinations):
        problems.add(row.place, f'"exclude" in {what} names a combination that there is not (any more)')
    return left


def _with(
    combinations: list[Values], include: Iterable[Values], axes: AnyMapping[str, list[str]]
) -> list[_Combination]:
    """Each row is added to the combinations that it agrees with; where there is none it is one of its own."""
    more: list[Values] = [{} for _ in combinations]
    own: list[_Combination] = []
    for row in include:
        agreeing = [
            number
            for number, one in enumerate(combinations)
            if all(one[name] == value for name, value in row.items() if name in axes)
        ]
        for number in agreeing:
            more[number] |= {name: value for name, value in row.items() if name not in axes}
        if not agreeing:
            own.append(_Combination(row, {}))
    return [_Combination(one, extra) for one, extra in zip(combinations, more, strict=True)] + own


def _check_names(
    job: str, combinations: list[_Combination], entry: Entry, subject: str, problems: Problems
) -> None:
    seen: set[str] = set()
    for one in combinations:
        name = one.job(job)
        if len(name) > MAX_JOB_NAME:
            problems.add(
                entry.place,
                f"the matrix of {subject} makes a job {shown(name)}, whose name has {len(name)} characters; "
                f"a job's name may have {MAX_JOB_NAME}: give it shorter values",
            )
            return
        if name in seen:
            problems.add(entry.place, f"the matrix of {subject} makes two jobs {shown(name)}")
        seen.add(name)


def _check_variables(axes: Iterable[str], entry: Entry, subject: str, problems: Problems) -> None:
    seen: dict[str, str] = {}
    for axis in axes:
        other = seen.setdefault(variable_of(axis), axis)
        if other != axis:
            problems.add(
                entry.place,
                f"the matrix of {subject} has {listed((other, axis))}, both of which scripts would get as"
                f" ${variable_of(axis)}",
            )


def _scalars(node: Node) -> Iterable[Scalar]:
    look = [node]
    while look:
        one = look.pop()
        match one:
            case Scalar():
                yield one
            case Items():
                look += one.items
            case Mapping():
                look += [entry.value for entry in one.entries]
