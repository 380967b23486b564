"""The steps of a job in a plan file."""

from __future__ import annotations

import re
from collections.abc import Collection
from collections.abc import Mapping as AnyMapping
from typing import TypedDict

from tailrace.domain.plan.artifacts import read_artifacts
from tailrace.domain.plan.errors import Place, Problems, listed, shown
from tailrace.domain.plan.keys import FINALLY_KEYS, STEP_KEYS, known_entries
from tailrace.domain.plan.model import DEFAULT_FINALLY_TIMEOUT_S, FetchStep, RunStep, StepSpec
from tailrace.domain.plan.nodes import Entry, Items, Mapping, Node, Scalar, describe
from tailrace.domain.plan.shells import read_shell, read_working_directory
from tailrace.domain.plan.uses import Uses
from tailrace.domain.plan.values import derived_name, read_boolean, read_duration, read_text, read_variables

MAX_STEPS = 200
MAX_NAME = 100  # characters of a step's name
_ACTS = ("run", "artifacts")
_OF_RUN = ("env", "pty", "shell", "working_directory")
_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,99}")


def step_weight(step: StepSpec) -> int:
    """Characters of text that a step holds."""
    if not isinstance(step, RunStep):
        jobs = step.jobs if isinstance(step, FetchStep) else ()
        return len(step.name) + sum(map(len, (*step.paths, *jobs)))
    return len(step.name) + len(step.run) + sum(len(name) + len(value) for name, value in step.env.items())


class StepReader:
    """Reads the steps of one job, which needs the jobs `needs`, and among them all those of `matrices`.

    `uses` collects the names that they use, `ids` holds those of the steps read so far.
    """

    def __init__(
        self,
        subject: str,
        needs: Collection[str],
        matrices: AnyMapping[str, tuple[str, ...]],
        uses: Uses,
        problems: Problems,
    ) -> None:
        self._subject = subject
        self._needs = needs
        self._matrices = matrices
        self._uses = uses
        self._problems = problems
        self.ids: dict[str, Place] = {}

    def steps(self, job: Place, entry: Entry | None) -> tuple[StepSpec, ...]:
        """Read the job's `steps`; `job` is the place of the job."""
        subject = self._subject
        if entry is None or (isinstance(entry.value, Scalar) and entry.value.is_null):
            place = entry.place if entry else job
            self._problems.add(place, f'{subject} has no "steps"; it must have at least one')
            return ()
        return self._list(entry, entry.value, f'"steps" of {subject}', "step")

    def last_steps(self, entry: Entry | None) -> tuple[tuple[StepSpec, ...], int]:
        """Read the job's `finally`: a list of steps, or a mapping with `steps` and `timeout`; the steps and their seconds."""
        if entry is None:
            return (), DEFAULT_FINALLY_TIMEOUT_S
        what = f'"finally" of {self._subject}'
        node, seconds = entry.value, None
        if isinstance(node, Mapping):
            entries = known_entries(node, FINALLY_KEYS, what, self._problems)
            if "timeout" in entries:
                seconds = read_duration(entries["timeout"].value, f'"timeout" in {what}', self._problems)
            if "steps" not in entries:
                self._problems.add(node.place, f'{what} has no "steps"; it must have at least one')
                return (), DEFAULT_FINALLY_TIMEOUT_S
            node = entries["steps"].value
        return self._list(entry, node, what, "finally step"), seconds or DEFAULT_FINALLY_TIMEOUT_S

    def _list(self, entry: Entry, node: Node, what: str, word: str) -> tuple[StepSpec, ...]:
        problems, subject = self._problems, self._subject
        if not isinstance(node, Items):
            problems.add(node.place, f"{what} must be a list; found {describe(node)}")
            return ()
        if not node.items:
            problems.add(entry.place, f"{what} is empty; it must have at least one step")
        if len(node.items) > MAX_STEPS:
            problems.add(
                node.items[MAX_STEPS].place,
                f"a job may have at most {MAX_STEPS} {word}s; {subject} has {len(node.items)}",
            )
            return ()
        steps = [
            self._step(item, f"{word} {number} of {subject}") for number, item in enumerate(node.items, 1)
        ]
        return tuple(step for step in steps if step is not None)

    def _step(self, node: Node, subject: str) -> StepSpec | None:
        problems = self._problems
        if not isinstance(node, Mapping):
            hint = "; write: - run: …" if isinstance(node, Scalar) and not node.is_null else ""
            problems.add(node.place, f'{subject} must be a mapping with "run"; found {describe(node)}{hint}')
            return None
        entries = known_entries(node, STEP_KEYS, subject, problems)
        name = _step_name(entries["name"].value, subject, problems) if "name" in entries else None
        common = self._common(entries, subject)
        acts = [key for key in _ACTS if key in entries]
        if not acts:
            if len(entries) == len(node.entries):  # else the key that it has instead was named already
                problems.add(node.place, f'{subject} has no "run" (or "artifacts"); it must say what to do')
            return None
        if len(acts) > 1:
            place = entries[acts[1]].place
            problems.add(place, f"{subject} has {listed(acts)}; a step does one thing: make two")
            return None
        if "artifacts" in entries:
            return self._artifacts_step(entries, name, common, subject)
        return self._run_step(entries, name, common, subject)

    def _artifacts_step(
        self, entries: dict[str, Entry], name: str | None, common: _Common, subject: str
    ) -> StepSpec | None:
        for key in _OF_RUN:
            if key in entries:
                place = entries[key].place
                self._problems.add(
                    place, f'{shown(key)} in {subject} stands beside "artifacts"; it is for "run"'
                )
        read = read_artifacts(
            entries["artifacts"], name, subject, self._needs, self._matrices, self._problems
        )
        return None if read is None else read.model_copy(update=dict(common))

    def _run_step(
        self, entries: dict[str, Entry], name: str | None, common: _Common, subject: str
    ) -> RunStep | None:
        problems = self._problems
        env = (
            read_variables(entries["env"].value, f'"env" of {subject}', problems) if "env" in entries else {}
        )
        if "env" in entries and isinstance(entries["env"].value, Mapping):
            for one in entries["env"].value.entries:
                if one.key in env:
                    what = f'{shown(one.key)} in "env" of {subject}'
                    self._uses.text(env[one.key], one.value.place, what, self._known(common))
        shell = read_shell(entries.get("shell"), subject, problems)
        folder = read_working_directory(entries.get("working_directory"), subject, problems)
        pty = _flag(entries, "pty", subject, problems)
        script = _script(entries["run"], subject, problems)
        if script is None:
            return None
        return RunStep(
            name=name or derived_name(script),
            run=script,
            shell=shell,
            working_directory=folder,
            env=env,
            pty=pty,
            **common,
        )

    def _common(self, entries: dict[str, Entry], subject: str) -> _Common:
        """What every kind of step has."""
        problems = self._problems
        condition = self._uses.condition(entries.get("if"), subject, tuple(self.ids))
        timeout = entries.get("timeout")
        seconds = read_duration(timeout.value, f'"timeout" of {subject}', problems) if timeout else None
        id = read_text(entries["id"].value, f'"id" of {subject}', problems) if "id" in entries else None
        if id is not None:
            place = entries["id"].value.place
            if not _ID.fullmatch(id):
                problems.add(
                    place,
                    f"{shown(id)} cannot be the id of a step; allowed: 1 to 100 letters, digits, _ and -, "
                    "beginning with a letter or _",
                )
                id = None
            elif id in self.ids:
                problems.add(
                    place,
                    f"{shown(id)} is the id of two steps of {self._subject}; the first is at {self.ids[id]}",
                )
            else:
                self.ids[id] = place
        return _Common(
            id=id,
            condition=condition,
            continue_on_error=_flag(entries, "continue_on_error", subject, problems),
            timeout_s=seconds,
        )

    def _known(self, common: _Common) -> tuple[str, ...]:
        """The ids that the step itself may name: those before it."""
        return tuple(id for id in self.ids if id != common["id"])


class _Common(TypedDict):
    id: str | None
    condition: str
    continue_on_error: bool
    timeout_s: int | None


def _flag(entries: dict[str, Entry], key: str, subject: str, problems: Problems) -> bool:
    if key not in entries:
        return False
    return read_boolean(entries[key].value, f"{shown(key)} of {subject}", problems) is True


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
