"""Names of what a run knows, as plans write them: `branch`, `variables.NAME`, `needs.JOB.outputs.KEY`, `steps.ID.outcome`.

They stand in conditions (`tailrace.domain.conditions`) and, as `${NAME}`, in texts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping

from tailrace.domain.errors import Invalid

Reference = tuple[str, ...]
"""The parts of a name: `needs.build.outputs.tag` is `("needs", "build", "outputs", "tag")`."""
Lookup = Callable[[Reference], str]
"""What a name stands for; what the run does not have is empty."""

OF_RUN = ("branch", "event", "head", "plan", "project", "ref", "revision", "tag")
FORMS = (
    *OF_RUN,
    "variables.NAME",
    "matrix.NAME",
    "needs.JOB.outcome",
    "needs.JOB.outputs.KEY",
    "steps.ID.outcome",
    "steps.ID.outputs.KEY",
)
NAME = r"[A-Za-z_][A-Za-z0-9_-]*"
PATTERN = rf"""{NAME}(?:\.{NAME}|\["[^"\n]*"\]|\['[^'\n]*'\])*"""
_PART = re.compile(rf"""\.?({NAME})|\["([^"]*)"\]|\['([^']*)'\]""")
_WHOLE = re.compile(PATTERN)
_PLACEHOLDER = re.compile(r"(\$)?\$\{([^}]*)(\}?)")


def parse_reference(text: str) -> Reference:
    """Read a name; raises Invalid when it is none."""
    if not _WHOLE.fullmatch(text):
        raise Invalid(f"{text!r} is no name; write it like needs.build.outputs.tag, or needs['3.11'].outcome")
    return tuple(next(part for part in match.groups() if part is not None) for match in _PART.finditer(text))


def references_in(text: str) -> tuple[Reference, ...]:
    """The names between `${` and `}` in a text; raises Invalid when one is none. `$${` is the text `${`."""
    found: list[Reference] = []
    for escaped, name, closed in _PLACEHOLDER.findall(text):
        if escaped:
            continue
        if not closed:
            raise Invalid(f"'${{{name[:40]}' has no }}; write $${{ for the text ${{")
        found.append(parse_reference(name.strip()))
    return tuple(found)


def fill(text: str, value: Lookup) -> str:
    """The text with what its names stand for in their places."""

    def one(match: re.Match[str]) -> str:
        if match[1]:
            return match[0][1:]
        return value(parse_reference(match[2].strip()))

    return _PLACEHOLDER.sub(one, text)


def fault_of(
    reference: Reference,
    needs: Mapping[str, Collection[str]] | None,
    steps: Collection[str] | None,
    axes: Collection[str] = (),
    matrices: Mapping[str, Collection[str]] | None = None,
) -> str | None:
    """Why a name cannot stand where it does, or None.

    `needs` are the jobs that may be named, each with its outputs; `steps` the ids of the steps that have gone before. None: none
    of that kind can stand here. `axes` are the values of the job's own matrix, `matrices` those that it needs, with their jobs.
    """
    matrices = matrices or {}
    shown = shown_reference(reference)
    match reference:
        case (word,) if word in OF_RUN:
            return None
        case ("variables", _):
            return None
        case ("matrix", axis) if axes:
            return None if axis in axes else f"{shown} names nothing: the job's matrix has {', '.join(axes)}"
        case ("needs", job, *rest) if job in matrices and rest == ["outcome"]:
            return None
        case ("needs", job, "outputs", key) if job in matrices:
            one = shown_reference(("needs", next(iter(matrices[job])), "outputs", key))
            return f"{shown} names an output of {len(matrices[job])} jobs: name one of them, as {one}"
        case ("needs", job, *rest) if needs is not None:
            if job not in needs:
                return f"{shown} names job {job!r}, which is not among the job's needs"
            if rest == ["outcome"] or (len(rest) == 2 and rest[0] == "outputs" and rest[1] in needs[job]):
                return None
            if len(rest) == 2 and rest[0] == "outputs":
                known = f"it has {', '.join(sorted(needs[job]))}" if needs[job] else "it has none"
                return f"{shown} names an output that job {job!r} does not declare in its outputs; {known}"
        case ("steps", step, *rest) if steps is not None:
            if step not in steps:
                return f"{shown} names step {step!r}, but no step before this one has that id"
            if rest == ["outcome"] or (len(rest) == 2 and rest[0] == "outputs"):
                return None
        case _:
            pass
    absent = (
        *(("needs",) if needs is None else ()),
        *(("steps",) if steps is None else ()),
        *(() if axes else ("matrix",)),
    )
    allowed = [form for form in FORMS if not form.startswith(absent)]
    return f"{shown} is not known here; allowed: {', '.join(allowed)}"


def shown_reference(reference: Reference) -> str:
    """The name as it is written."""
    first, *rest = reference
    return first + "".join(f".{part}" if re.fullmatch(NAME, part) else f"['{part}']" for part in rest)
