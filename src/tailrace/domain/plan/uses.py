"""What the parts of a plan file say of each other: conditions, and texts with names between `${` and `}`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tailrace.domain.conditions import parse_condition
from tailrace.domain.errors import Invalid
from tailrace.domain.plan.errors import Place, Problems
from tailrace.domain.plan.nodes import Entry, Scalar
from tailrace.domain.plan.values import read_text
from tailrace.domain.references import Reference, fault_of, references_in

MAX_NEEDED_OUTPUTS = 50  # of other jobs, that one job may name: they travel with its lease


@dataclass(frozen=True, slots=True)
class Use:
    """A name that something in a job uses, and where; `steps` are the ids that it may name, None where it may name none."""

    reference: Reference
    place: Place
    subject: str
    steps: Collection[str] | None


class Uses:
    """Collects the names that one job uses: whether they are known can be told when the whole plan was read."""

    def __init__(self, problems: Problems, axes: Collection[str] = ()) -> None:
        """`axes` are the values of the job's matrix that it may name."""
        self._problems = problems
        self._axes = axes
        self.found: list[Use] = []

    def condition(self, entry: Entry | None, subject: str, steps: Collection[str] | None) -> str:
        """Read an `if`; empty where there is none."""
        if entry is None:
            return ""
        what = f'"if" of {subject}'
        if isinstance(entry.value, Scalar) and entry.value.is_null:
            self._problems.add(entry.place, f"{what} is empty; leave it out, or write a condition")
            return ""
        text = read_text(entry.value, what, self._problems)
        if text is None:
            return ""
        try:
            condition = parse_condition(text)
        except Invalid as error:
            self._problems.add(entry.value.place, f"{what}: {_printable(str(error))}")
            return ""
        self._note(condition.references, entry.value.place, what, steps)
        return text.strip()

    def text(self, text: str, place: Place, subject: str, steps: Collection[str]) -> None:
        """Note the names in a text."""
        try:
            references = references_in(text)
        except Invalid as error:
            self._problems.add(place, f"{subject}: {_printable(str(error))}")
            return
        self._note(references, place, subject, steps)

    def check(
        self, needs: Mapping[str, Collection[str]], matrices: Mapping[str, Collection[str]] | None = None
    ) -> None:
        """Add a problem for each name that is not known; `needs` are the jobs needed, each with its outputs, `matrices` those
        among them that are jobs of a matrix, under its name."""
        for use in self.found:
            fault = fault_of(use.reference, needs, use.steps, self._axes, matrices)
            if fault is not None:
                self._problems.add(use.place, f"{use.subject}: {_printable(fault)}")
        outputs = list(dict.fromkeys(use.reference for use in self.found if use.reference[0] == "needs"))
        if len(outputs) > MAX_NEEDED_OUTPUTS:
            last = next(use for use in self.found if use.reference == outputs[MAX_NEEDED_OUTPUTS])
            self._problems.add(
                last.place,
                f"{last.subject}: a job may name {MAX_NEEDED_OUTPUTS} values of the jobs that it needs; found {len(outputs)}",
            )

    def _note(
        self, references: Collection[Reference], place: Place, subject: str, steps: Collection[str] | None
    ) -> None:
        self.found += [Use(reference, place, subject, steps) for reference in references]


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
