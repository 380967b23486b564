"""docs/states.md says what the tables say: every state, every move, every reason, and nothing else."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from tailrace.domain.outcome import Reason
from tailrace.domain.states import (
    ATTEMPT,
    JOB,
    LOG,
    NOTIFICATION,
    RUN,
    AttemptState,
    JobState,
    LogState,
    Machine,
    NotificationState,
    RunState,
)

PAGE = (Path(__file__).parents[3] / "docs" / "states.md").read_text()
SECTIONS = {part.split("\n", 1)[0]: part for part in PAGE.split("\n## ")[1:]}
MACHINES: list[tuple[Machine[Any], type[StrEnum]]] = [
    (ATTEMPT, AttemptState),
    (JOB, JobState),
    (RUN, RunState),
    (LOG, LogState),
    (NOTIFICATION, NotificationState),
]
each_machine = pytest.mark.parametrize(
    ("machine", "states"), MACHINES, ids=[machine.name for machine, _ in MACHINES]
)


def _rows(section: str) -> list[tuple[str, str]]:
    """The table of a section: words and what they mean."""
    return re.findall(r"^\| `([\w.]+)` \| (.+) \|$", SECTIONS[section], re.MULTILINE)


def _arrows(section: str) -> list[tuple[str, str, str]]:
    """From, to and verb of each arrow; the whole diagram must be arrows."""
    (diagram,) = re.findall(r"```mermaid\nstateDiagram-v2\n(.*?)```", SECTIONS[section], re.DOTALL)
    arrows: list[tuple[str, str, str]] = []
    for line in diagram.splitlines():
        arrow = re.fullmatch(r"    (\w+|\[\*\]) --> (\w+|\[\*\])(?:: (\w+))?", line)
        assert arrow is not None, f"not an arrow: {line!r}"
        arrows.append((arrow[1], arrow[2], arrow[3] or ""))
    assert len(arrows) == len(set(arrows))
    return arrows


@each_machine
def test_the_diagram_is_the_table(machine: Machine[Any], states: type[StrEnum]) -> None:
    assert set(_arrows(machine.name.capitalize())) == {
        ("[*]", machine.initial, ""),
        *((before, after, verb) for (before, verb), after in machine.moves.items()),
        *((end, "[*]", "") for end in machine.final()),
    }


@each_machine
def test_each_state_has_a_sentence(machine: Machine[Any], states: type[StrEnum]) -> None:
    rows = _rows(machine.name.capitalize())
    assert [word for word, _ in rows] == list(states), "in the order of the code"
    assert all(meaning.endswith(".") for _, meaning in rows)


def test_each_reason_has_a_sentence() -> None:
    rows = _rows("Reasons")
    assert [word for word, _ in rows] == list(Reason), "in the order of the code"
    assert all(meaning.endswith(".") for _, meaning in rows)


def test_every_section_is_compared() -> None:
    assert set(SECTIONS) == {machine.name.capitalize() for machine, _ in MACHINES} | {"Reasons"}
