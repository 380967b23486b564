"""What is wrong with a plan file, and where."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from tailrace.domain.errors import TailraceError

MAX_SHOWN = 100  # characters of the file's text that a message repeats
MAX_FAULTS = 100
MAX_MESSAGE = 1000  # characters
MAX_COMPARED = 1_000_000  # pairs of characters, for what was probably meant: less than half a second


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A position in a text as editors show it: line and column count from 1, columns in characters."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"


@dataclass(frozen=True, slots=True)
class PlanError:
    """One fault of a plan file; `line` and `column` count from 1, columns in characters."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class PlanInvalid(TailraceError):
    """The file is not a plan; `errors` holds every fault found, in the order of the file, never none."""

    located: ClassVar[bool] = True

    def __init__(self, errors: tuple[PlanError, ...]) -> None:
        super().__init__(errors)  # whole, so that it can be pickled
        self.errors = errors

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


class Unreadable(Exception):
    """The text is faulty in a way that hides what follows, so that reading it cannot go on."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(place, message)
        self.place = place
        self.message = message


class TooManyFaults(Unreadable):
    """Whoever reads on finds more faults than anybody reads; a file can be made to have any number of them."""

    def __init__(self, place: Place) -> None:
        super().__init__(
            place, f"the file was read until here, where it had {MAX_FAULTS} faults: mend them first"
        )


class Problems:
    """Collects the faults of one file while it is being read."""

    def __init__(self) -> None:
        self._found: dict[tuple[Place, str], None] = {}
        self._warnings: dict[tuple[Place, str], None] = {}
        self._labels: dict[tuple[Place, str, tuple[str, ...]], None] = {}
        self._compared = 0

    def __len__(self) -> int:
        return len(self._found)

    def add(self, place: Place, message: str) -> None:
        """Note a fault; one that an alias shows a second time counts once. Raises TooManyFaults after the hundredth."""
        fault = place, message if len(message) <= MAX_MESSAGE else f"{message[: MAX_MESSAGE - 1]}…"
        if len(self._found) >= MAX_FAULTS and fault not in self._found:
            raise TooManyFaults(place)
        self._found[fault] = None

    def end(self, fault: Unreadable) -> None:
        """Note where and why reading ended, whatever was found before."""
        self._found[(fault.place, fault.message)] = None

    def may_compare(self, pairs: int) -> bool:
        """Whether so many pairs of characters may still be compared; they count when they may."""
        if self._compared + pairs > MAX_COMPARED:
            return False
        self._compared += pairs
        return True

    def warn(self, place: Place, message: str) -> None:
        """Note what is no fault, and still is hardly meant."""
        self._warnings[(place, message)] = None

    def note_labels(self, place: Place, job: str, labels: tuple[str, ...]) -> None:
        """Note which labels a job asks for: whether any agent has them is known elsewhere."""
        self._labels[(place, job, labels)] = None

    @property
    def labels(self) -> tuple[tuple[Place, str, tuple[str, ...]], ...]:
        """The labels that jobs ask for, as they were noted."""
        return tuple(self._labels)

    def as_warnings(self, file: str) -> tuple[PlanError, ...]:
        """Return the warnings in the order of the file."""
        return tuple(
            PlanError(file, place.line, place.column, message) for place, message in sorted(self._warnings)
        )

    def as_errors(self, file: str) -> tuple[PlanError, ...]:
        """Return the faults in the order of the file."""
        return tuple(
            PlanError(file, place.line, place.column, message) for place, message in sorted(self._found)
        )


def plain(text: str) -> str:
    """Make text of the file fit for a message: shortened, with what cannot be printed escaped."""
    cut = text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in cut)


def shown(text: str) -> str:
    """Quote text of the file for a message, as `plain` does."""
    return f'"{plain(text)}"'


def listed(names: Iterable[str]) -> str:
    """Join names for a message, the first ten of them."""
    first = list(names)
    more = f" and {len(first) - 10} more" if len(first) > 10 else ""
    return ", ".join(map(plain, first[:10])) + more
