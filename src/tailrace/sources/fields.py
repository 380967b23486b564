"""Fields that the payloads of several forges have; a field's description is what an error says was expected."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Protocol, TypeVar

from annotated_types import MaxLen
from pydantic import AfterValidator, BeforeValidator, FailFast

from tailrace.domain.events import MOST_PATHS
from tailrace.sources.names import is_hash, is_null, is_ref_name

T = TypeVar("T")

A_HASH = "40 hexadecimal digits (64 with SHA-256)"
A_LINK = "an http or https address"
A_PERSON = "an object with a name, or null"
A_REF = "a full ref such as refs/heads/main"
A_STRING = "a string"
A_BRANCH = "a branch's name"
A_NUMBER = "a positive number"
A_BOOLEAN = "true or false"
MAX_COMMITS = 10_000
"""Of a push: forges list far fewer, and each that is read takes memory."""
COMMITS = f"a list of at most {MAX_COMMITS} commits"
PATHS = "a list of paths, or null"


def _hash(value: str) -> str:
    value = value.lower()
    if not is_hash(value):
        raise ValueError
    return value


def _full_ref(value: str) -> str:
    if not value.startswith("refs/") or not is_ref_name(value):
        raise ValueError
    return value


def _ref_name(value: str) -> str:
    if not is_ref_name(value):
        raise ValueError
    return value


def _web_address(value: str) -> str:
    if link(value) is None:
        raise ValueError
    return value


def link(value: str | None) -> str | None:
    """The address, if it can be a link in the page."""
    if value is None or len(value) > 2000 or not value.isprintable():
        return None
    return value if value.startswith(("https://", "http://")) else None


def _moment(value: object) -> int | None:
    """ISO 8601 with a zone. It only says which of two pushes is the later one: what is no time refuses no delivery."""
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else None
        ms = int(time.timestamp() * 1000) if time is not None and time.tzinfo is not None else 0
    except (ValueError, OverflowError):  # in the year 1, or 9999
        return None
    return ms if ms > 0 else None  # before 1970 there was no git


Hash = Annotated[str, AfterValidator(_hash)]
FullRef = Annotated[str, AfterValidator(_full_ref)]
RefName = Annotated[str, AfterValidator(_ref_name)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
Moment = Annotated[int | None, BeforeValidator(_moment)]
"""When a commit was made, in ms since the epoch."""


class _FirstFault(FailFast):
    """Stop at the first element that is wrong: each would be described, gigabytes of them for a few megabytes."""

    # A part of a union has to have one.
    def __hash__(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        return id(self)


Paths = Annotated[tuple[str, ...], _FirstFault()]
Many = Annotated[tuple[T, ...], _FirstFault(), MaxLen(MAX_COMMITS)]
"""Commits of a push."""


class Touched(Protocol):
    """A commit of a push, as far as it says which files it touched."""

    @property
    def added(self) -> tuple[str, ...] | None: ...
    @property
    def removed(self) -> tuple[str, ...] | None: ...
    @property
    def modified(self) -> tuple[str, ...] | None: ...


def paths_of(commits: Iterable[Touched]) -> tuple[str, ...] | None:
    """Every path that these commits touched, each once, sorted; at most MOST_PATHS.

    None when there are more, when there is no commit, or when one does not say.
    """
    found: set[str] = set()
    said = False
    for commit in commits:
        lists = (commit.added, commit.removed, commit.modified)
        if all(paths is None for paths in lists):
            return None
        said = True
        for paths in lists:
            found.update(paths or ())
    return tuple(sorted(found)) if said and len(found) <= MOST_PATHS else None


def known(revision: str | None) -> str | None:
    """The revision, or None for the hash that stands for nothing."""
    return None if revision is None or is_null(revision) else revision
