"""The steps of a job in a plan file."""

from __future__ import annotations

from tailrace.domain.plan.errors import Place, Problems, shown
from tailrace.domain.plan.keys import STEP_KEYS, known_entries
from tailrace.domain.plan.model import RunStep, StepSpec
from tailrace.domain.plan.nodes import Entry, Items, Mapping, Node, Scalar, describe
from tailrace.domain.plan.values import read_text

MAX_STEPS = 200
MAX_NAME = 100  # characters of a step's name
MAX_DERIVED_NAME = 60  # characters of a step's name that is taken from its script


def read_steps(job: Place, entry: Entry | None, subject: str, problems: Problems) -> tuple[StepSpec, ...]:
    """Read a job's steps; `job` is the place of the job, `subject` its name in messages."""
    if entry is None or (isinstance(entry.value, Scalar) and entry.value.is_null):
        problems.add(entry.place if entry else job, f'{subject} has no "steps"; it must have at least one')
        return ()
    node = entry.value
    if not isinstance(node, Items):
        problems.add(node.place, f'"steps" of {subject} must be a list; found {describe(node)}')
        return ()
    if not node.items:
        problems.add(entry.place, f'"steps" of {subject} is empty; it must have at least one step')
    if len(node.items) > MAX_STEPS:
        problems.add(
            node.items[MAX_STEPS].place,
            f"a job may have at most {MAX_STEPS} steps; {subject} has {len(node.items)}",
        )
        return ()
    steps = [
        _step(item, f"step {number} of {subject}", problems)
        for number, item in enumerate(node.items, start=1)
    ]
    return tuple(step for step in steps if step is not None)


def _step(node: Node, subject: str, problems: Problems) -> StepSpec | None:
    if not isinstance(node, Mapping):
        hint = "; write: - run: …" if isinstance(node, Scalar) and not node.is_null else ""
        problems.add(node.place, f'{subject} must be a mapping with "run"; found {describe(node)}{hint}')
        return None
    entries = known_entries(node, STEP_KEYS, subject, problems)
    name = _step_name(entries["name"].value, subject, problems) if "name" in entries else None
    if "run" not in entries:
        if len(entries) == len(node.entries):  # else the key that it has instead was named already
            problems.add(node.place, f'{subject} has no "run"; it must say what to run')
        return None
    script = _script(entries["run"], subject, problems)
    return None if script is None else RunStep(name=name or _derived_name(script), run=script)


def _script(entry: Entry, subject: str, problems: Problems) -> str | None:
    node = entry.value
    if isinstance(node, Items):
        problems.add(
            node.place, f'"run" of {subject} must be text; found a list; write several lines after "run: |"'
        )
        return None
    if isinstance(node, Scalar) and (node.is_null or not node.text.strip()):
        problems.add(entry.place, f'"run" of {subject} is empty; it must say what to run')
        return None
    return read_text(node, f'"run" of {subject}', problems)


def _step_name(node: Node, subject: str, problems: Problems) -> str | None:
    name = read_text(node, f'"name" of {subject}', problems)
    if name is None:
        return None
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        problems.add(
            node.place,
            f'"name" of {subject} must be one line of 1 to {MAX_NAME} printable characters; found {shown(name)}',
        )
    return name


def _derived_name(script: str) -> str:
    """Return the script's first line that is not blank, shortened, without what cannot be printed."""
    line = next(line for line in script.splitlines() if line.strip())
    name = "".join(c if c.isprintable() else " " for c in line).strip()
    name = " ".join(name.split()) or "run"
    return name if len(name) <= MAX_DERIVED_NAME else name[: MAX_DERIVED_NAME - 1] + "…"
