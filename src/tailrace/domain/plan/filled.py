"""A job of a matrix, with the values of its combination in the place of their names."""

from __future__ import annotations

import re
from collections.abc import Mapping as AnyMapping
from dataclasses import replace

from tailrace.domain.matrix import variable_of
from tailrace.domain.plan.errors import Problems, listed
from tailrace.domain.plan.nodes import Entry, Items, Mapping, Node, Scalar
from tailrace.domain.references import NAME

_OF_MATRIX = re.compile(rf"(\$)?\$\{{\s*matrix\.({NAME})\s*\}}")
_IN_SCRIPT = re.compile(r"\$\{\s*matrix\.")
# A condition names values when it is asked, and nothing is ever pasted into a script; variables may have these names too.
_AS_WRITTEN = ("if", "run")
_OF_VARIABLES = ("env", "outputs", "variables")


def filled(
    entry: Entry, values: AnyMapping[str, str], axes: tuple[str, ...], subject: str, problems: Problems
) -> Entry:
    """The entry of a job with `values` in the place of `${matrix.NAME}`; of `axes` that have none, nothing.

    `subject` is the job in words. Scripts and conditions stay as they are.
    """
    filling = _Filling(values, axes, subject, problems)
    return replace(entry, value=filling.fill(entry.value, _AS_WRITTEN))


class _Filling:
    def __init__(
        self, values: AnyMapping[str, str], axes: tuple[str, ...], subject: str, problems: Problems
    ) -> None:
        self._values = values
        self._axes = axes
        self._subject = subject
        self._problems = problems

    def fill(self, node: Node, as_written: tuple[str, ...]) -> Node:
        match node:
            case Scalar():
                return self._scalar(node)
            case Items():
                return replace(node, items=tuple(self.fill(one, _AS_WRITTEN) for one in node.items))
            case Mapping():
                return replace(node, entries=tuple(self._entry(one, as_written) for one in node.entries))

    def _entry(self, entry: Entry, as_written: tuple[str, ...]) -> Entry:
        if entry.key not in as_written:
            within = () if entry.key in _OF_VARIABLES else _AS_WRITTEN
            return replace(entry, value=self.fill(entry.value, within))
        if entry.key == "run" and isinstance(entry.value, Scalar) and _IN_SCRIPT.search(entry.value.text):
            first = self._axes[0]
            self._problems.add(
                entry.value.place,
                f'"run" in {self._subject} names "${{matrix.…}}"; nothing is pasted into a script: it has each value'
                f" as an environment variable, {first} as ${variable_of(first)}",
            )
        return entry

    def _scalar(self, scalar: Scalar) -> Scalar:
        if "matrix." not in scalar.text:
            return scalar
        whole = _OF_MATRIX.fullmatch(scalar.text)
        # A value alone is what it would be in its place: true, 3, 20m.
        plain = scalar.plain or (whole is not None and not whole[1])
        text = _OF_MATRIX.sub(lambda match: self._value(match, scalar), scalar.text)
        return Scalar(scalar.place, text, plain)

    def _value(self, match: re.Match[str], scalar: Scalar) -> str:
        escaped, name = match[1], match[2]
        if escaped:
            return match[0]
        if name not in self._axes:
            self._problems.add(
                scalar.place,
                f'"${{matrix.{name}}}" names nothing: the matrix of {self._subject} has {listed(self._axes)}',
            )
            return name  # something that is seldom a second fault
        return self._values.get(name, "")
