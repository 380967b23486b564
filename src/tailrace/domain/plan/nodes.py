"""YAML read into nodes that know their place, within limits, with aliases and merge keys resolved.

The nodes are built from PyYAML's events and not by its `compose()`: that recurses, and a megabyte of `[` ends
the process; it also keeps the last of two equal keys, and lets an alias contain itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import yaml

from tailrace.domain.plan.errors import Place, Problems, Unreadable, plain, shown
from tailrace.domain.plan.source import place_at

try:
    from yaml import CSafeLoader as _Loader
except ImportError:  # PyYAML was built without libyaml
    from yaml import SafeLoader as _Loader

MAX_NODES = 20_000
MAX_DEPTH = 100
_START = Place(1, 1)
_QUOTED = ("'", '"', "|", ">")


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value; `plain` when it is written without quotes, so that YAML could see more than text in it."""

    place: Place
    text: str
    plain: bool

    @property
    def is_null(self) -> bool:
        """Whether nothing is written here, by the words of YAML 1.2."""
        return self.plain and self.text in ("", "~", "null", "Null", "NULL")


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    place: Place
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A key and its value."""

    key: str
    place: Place
    value: Node


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys with values; no key twice, in the order of the file, merged ones last."""

    place: Place
    entries: tuple[Entry, ...]


Node: TypeAlias = Scalar | Items | Mapping


def describe(node: Node) -> str:
    """Say what was found, for a message."""
    match node:
        case Mapping():
            return "a mapping"
        case Items():
            return "a list"
        case Scalar():
            if node.is_null:
                return "nothing"
            return shown(node.text) if node.plain else f"the quoted text {shown(node.text)}"


def read_nodes(text: str, problems: Problems, loader: type[Any] = _Loader) -> Node | None:
    """Return the root of the file's one document, or None when it holds none.

    Adds what is wrong with keys to `problems`; raises Unreadable where reading cannot go on: text that is not
    YAML, an alias of nothing or of itself, more than 20,000 nodes (counted after aliases are expanded), nodes
    more than 100 deep, a tag.
    """
    # libyaml sees a line after the last one, even where the text does not end the last.
    end = place_at(text, len(text))
    builder = _Builder(problems, end)
    try:
        for event in yaml.parse(text, Loader=loader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, text, end) from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # Only the loader written in Python lets these out, on numbers too large for their escape.
        raise Unreadable(builder.last_place, f"not valid YAML: {error}") from None
    return builder.root


@dataclass(frozen=True, slots=True)
class _Built:
    node: Node
    size: int  # nodes in it, aliases expanded
    height: int  # levels in it, itself included


@dataclass(slots=True)
class _Open:
    place: Place
    anchor: str | None
    is_mapping: bool
    children: list[_Built] = field(default_factory=list["_Built"])


class _Builder:
    """Turns the parser's events into nodes, one at a time, without recursion."""

    def __init__(self, problems: Problems, end: Place) -> None:
        self.root: Node | None = None
        self.last_place = _START
        self._problems = problems
        self._end = end
        self._open: list[_Open] = []
        self._anchors: dict[str, _Built | None] = {}  # None while the node is still open
        self._documents = 0
        self._nodes = 0

    def take(self, event: yaml.Event) -> None:
        if event.start_mark is not None:
            self.last_place = min(Place(event.start_mark.line + 1, event.start_mark.column + 1), self._end)
        place = self.last_place
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise Unreadable(place, "a second YAML document begins here; a plan file holds one")
            case yaml.AliasEvent():
                self._close(self._aliased(place, str(event.anchor)))
            case yaml.ScalarEvent():
                self._begin(place, event)
                scalar = Scalar(place, str(event.value), event.style not in _QUOTED)
                self._finish(event.anchor, _Built(scalar, size=1, height=1))
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                self._begin(place, event)
                is_mapping = isinstance(event, yaml.MappingStartEvent)
                self._open.append(_Open(place, event.anchor, is_mapping))
                self._check_depth(place, 0)
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                opened = self._open.pop()
                node = self._mapping(opened) if opened.is_mapping else self._items(opened)
                size = 1 + sum(child.size for child in opened.children)
                height = 1 + max((child.height for child in opened.children), default=0)
                self._finish(opened.anchor, _Built(node, size, height))
            case _:
                pass

    def _begin(self, place: Place, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.tag is not None:
            raise Unreadable(
                place,
                f"tag {shown(str(event.tag))} cannot stand in a plan file; to make a value text, quote it",
            )
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        self._count(place, 1)

    def _finish(self, anchor: str | None, built: _Built) -> None:
        if anchor is not None:
            self._anchors[anchor] = built
        self._close(built)

    def _close(self, built: _Built) -> None:
        if self._open:
            self._open[-1].children.append(built)
        else:
            self.root = built.node

    def _aliased(self, place: Place, anchor: str) -> _Built:
        if anchor not in self._anchors:
            raise Unreadable(
                place, f"alias *{plain(anchor)} has no anchor before it; quote text that begins with *"
            )
        built = self._anchors[anchor]
        if built is None:
            raise Unreadable(place, f"alias *{plain(anchor)} stands inside of what it names")
        self._count(place, built.size)
        self._check_depth(place, built.height)
        if isinstance(built.node, Scalar):
            # A fault in a single value is best shown where it is used; one in a collection where it is written.
            return replace(built, node=replace(built.node, place=place))
        return built

    def _count(self, place: Place, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise Unreadable(
                place, f"the plan is too large: more than {MAX_NODES:,} values, aliases expanded"
            )

    def _check_depth(self, place: Place, height: int) -> None:
        if len(self._open) + height > MAX_DEPTH:
            raise Unreadable(place, f"the plan is nested too deep: more than {MAX_DEPTH} levels")

    def _items(self, opened: _Open) -> Items:
        return Items(opened.place, tuple(child.node for child in opened.children))

    def _mapping(self, opened: _Open) -> Mapping:
        nodes = [child.node for child in opened.children]
        entries: dict[str, Entry] = {}
        merge: tuple[Place, Node] | None = None
        for key, value in zip(nodes[::2], nodes[1::2], strict=True):
            if not isinstance(key, Scalar):
                self._problems.add(key.place, f"a key must be text; found {describe(key)}")
            elif key.plain and key.text == "<<":
                if merge is None:
                    merge = key.place, value
                else:
                    self._twice(key, merge[0])
            elif key.text in entries:
                self._twice(key, entries[key.text].place)
            else:
                entries[key.text] = Entry(key.text, key.place, value)
        for entry in self._merged(*merge) if merge else ():
            entries.setdefault(entry.key, entry)
        return Mapping(opened.place, tuple(entries.values()))

    def _twice(self, key: Scalar, first: Place) -> None:
        self._problems.add(key.place, f"{shown(key.text)} is given twice; the first is at {first}")

    def _merged(self, place: Place, value: Node) -> list[Entry]:
        sources = value.items if isinstance(value, Items) else (value,)
        merged: list[Entry] = []
        for source in sources:
            if isinstance(source, Mapping):
                merged += source.entries
            else:
                self._problems.add(
                    place, f'"<<" merges a mapping or a list of mappings; found {describe(source)}'
                )
        return merged


def _syntax_error(error: yaml.MarkedYAMLError, text: str, end: Place) -> Unreadable:
    mark = error.problem_mark or error.context_mark
    place = min(Place(mark.line + 1, mark.column + 1), end) if mark else _START
    problem = error.problem or error.context or "it cannot be read"
    if "cannot start any token" in problem and mark is not None:
        return Unreadable(place, f"not valid YAML: {_bad_start(text, place)}")
    if problem.startswith("mapping values are not allowed"):
        problem += '; quote text that holds ": "'
    where = error.context_mark
    if error.context and where and (where.line, where.column) != (place.line - 1, place.column - 1):
        problem += f" ({error.context} that begins at {Place(where.line + 1, where.column + 1)})"
    return Unreadable(place, f"not valid YAML: {problem}")


def _bad_start(text: str, place: Place) -> str:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    character = lines[place.line - 1][place.column - 1 : place.column]
    if character == "\t":
        return "a tab cannot indent; use spaces"
    return f"text cannot begin with {shown(character)}; quote it"
