"""What people wanted of agents: each change as values, and in the words of the commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from tailrace.domain.model import Model, Time
from tailrace.domain.states import AgentMode


class Renamed(Model):
    """It had the name `before`, and has `after`."""

    kind: Literal["name"] = "name"
    before: str
    after: str


class Relabelled(Model):
    """It was given these labels in place of those that people gave it before."""

    kind: Literal["labels"] = "labels"
    labels: tuple[str, ...]


class Switched(Model):
    """It was paused, told to drain, or resumed (`active`)."""

    kind: Literal["mode"] = "mode"
    mode: AgentMode


class NamedProject(Model):
    """A project by the name that it had then."""

    id: int
    name: str


class Allowed(Model):
    """It may take work of these projects; null: of all."""

    kind: Literal["projects"] = "projects"
    projects: tuple[NamedProject, ...] | None


class Removed(Model):
    """Its credential is good for nothing any more."""

    kind: Literal["removed"] = "removed"


ChangePart = Annotated[Renamed | Relabelled | Switched | Allowed | Removed, Field(discriminator="kind")]
_PARTS: TypeAdapter[tuple[ChangePart, ...]] = TypeAdapter(tuple[ChangePart, ...])
_MODES = {AgentMode.ACTIVE: "resumed", AgentMode.PAUSED: "paused", AgentMode.DRAINING: "told to drain"}


class AgentChangeView(Model):
    """What somebody wanted of an agent: `parts`, and the same in words; `why` is null where nobody said.

    `parts` is null of a change that was kept in words alone, by an older version.
    """

    id: int
    what: str
    parts: tuple[ChangePart, ...] | None
    by: str
    why: str | None
    at: Time


def read_parts(stored: object) -> tuple[ChangePart, ...]:
    """Parts as they were dumped to JSON; raises pydantic's ValidationError."""
    return _PARTS.validate_python(stored)


def in_words(parts: Sequence[ChangePart]) -> str:
    """The parts as a phrase, such as `paused; given the labels gpu`."""
    return "; ".join(map(_words, parts))


def _words(part: ChangePart) -> str:
    match part:
        case Renamed():
            return f"renamed from {part.before} to {part.after}"
        case Relabelled():
            return f"given the labels {', '.join(part.labels)}" if part.labels else "given no labels"
        case Switched():
            return _MODES[part.mode]
        case Allowed(projects=None):
            return "allowed all projects"
        case Allowed(projects=named):
            names = ", ".join(one.name for one in named or ())
            return f"allowed the projects {names}" if names else "allowed no projects"
        case Removed():
            return "removed"
