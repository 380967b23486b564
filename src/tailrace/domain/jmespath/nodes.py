"""What an expression consists of. Each node is given a value and finds another in it."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import cast

from tailrace.domain.jmespath.faults import Fault, Unfit
from tailrace.domain.jmespath.functions import Expression, Function
from tailrace.domain.jmespath.values import is_false, is_number, is_same
from tailrace.domain.jmespath.work import Work

_ORDERS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


class Node(ABC):
    """A part of an expression; `find` raises Fault where a function is given what it does not take, and when work runs out.

    Who evaluates a node has paid its `weight`; a node pays by itself for what it does once for each element.
    """

    @abstractmethod
    def find(self, value: object, work: Work) -> object:
        """What is found in this value; None when there is nothing."""

    @property
    def parts(self) -> tuple[Node, ...]:
        """The nodes that it consists of."""
        return ()

    @cached_property
    def weight(self) -> int:
        """Nodes, itself included."""
        return 1 + sum(part.weight for part in self.parts)

    @cached_property
    def depth(self) -> int:
        """Nodes one in the other, itself included."""
        return 1 + max((part.depth for part in self.parts), default=0)


@dataclass(frozen=True)
class Current(Node):
    """The value itself."""

    def find(self, value: object, work: Work) -> object:
        return value


@dataclass(frozen=True)
class Key(Node):
    """The value of a key."""

    name: str

    def find(self, value: object, work: Work) -> object:
        return cast("dict[str, object]", value).get(self.name) if isinstance(value, dict) else None


@dataclass(frozen=True)
class Index(Node):
    """An element of an array, counted from 0, or from the end with -1."""

    number: int

    def find(self, value: object, work: Work) -> object:
        if not isinstance(value, list):
            return None
        elements = cast("list[object]", value)
        return elements[self.number] if -len(elements) <= self.number < len(elements) else None


@dataclass(frozen=True)
class Slice(Node):
    """Some elements of an array, as Python's slices have it."""

    start: int | None
    stop: int | None
    step: int | None

    def find(self, value: object, work: Work) -> object:
        if not isinstance(value, list):
            return None
        elements = cast("list[object]", value)
        work.pay(len(elements))
        return elements[self.start : self.stop : self.step]


@dataclass(frozen=True)
class Literal(Node):
    """A value that stands in the expression itself."""

    value: object

    def find(self, value: object, work: Work) -> object:
        return self.value


@dataclass(frozen=True)
class Chain(Node):
    """Each step is done to what the one before found, nothing included: a.b, a[0], a | b."""

    steps: tuple[Node, ...]

    @property
    def parts(self) -> tuple[Node, ...]:
        return self.steps

    def find(self, value: object, work: Work) -> object:
        for step in self.steps:
            value = step.find(value, work)
        return value


@dataclass(frozen=True)
class Flat(Node):
    """An array with the elements of those of its elements that are arrays."""

    whole: Node

    @property
    def parts(self) -> tuple[Node, ...]:
        return (self.whole,)

    def find(self, value: object, work: Work) -> object:
        found = self.whole.find(value, work)
        if not isinstance(found, list):
            return None
        flat: list[object] = []
        for element in cast("list[object]", found):
            if isinstance(element, list):
                inner = cast("list[object]", element)
                work.pay(len(inner))
                flat.extend(inner)
            else:
                flat.append(element)
        return flat


@dataclass(frozen=True)
class Each(Node):
    """What `then` finds in each element of an array, without nulls: a[*].b, a[].b, a[1:].b."""

    whole: Node
    then: Node

    @property
    def parts(self) -> tuple[Node, ...]:
        return (self.whole, self.then)

    def find(self, value: object, work: Work) -> object:
        found = self.whole.find(value, work)
        return _each(cast("list[object]", found), self.then, work) if isinstance(found, list) else None


@dataclass(frozen=True)
class EachValue(Node):
    """What `then` finds in the value of each key of an object, without nulls: a.*.b."""

    whole: Node
    then: Node

    @property
    def parts(self) -> tuple[Node, ...]:
        return (self.whole, self.then)

    def find(self, value: object, work: Work) -> object:
        found = self.whole.find(value, work)
        if not isinstance(found, dict):
            return None
        fields = cast("dict[str, object]", found)
        return _each(list(fields.values()), self.then, work)


@dataclass(frozen=True)
class EachThat(Node):
    """What `then` finds in each element for which `condition` holds, without nulls: a[?b].c."""

    whole: Node
    condition: Node
    then: Node

    @property
    def parts(self) -> tuple[Node, ...]:
        return (self.whole, self.condition, self.then)

    def find(self, value: object, work: Work) -> object:
        found = self.whole.find(value, work)
        if not isinstance(found, list):
            return None
        elements = cast("list[object]", found)
        work.pay(len(elements) * self.condition.weight)
        chosen = [one for one in elements if not is_false(self.condition.find(one, work))]
        return _each(chosen, self.then, work)


def _each(elements: list[object], then: Node, work: Work) -> list[object]:
    work.pay(len(elements) * then.weight)
    found = [then.find(element, work) for element in elements]
    return [one for one in found if one is not None]


@dataclass(frozen=True)
class Either(Node):
    """The first that is not false, or the last: a || b."""

    choices: tuple[Node, ...]

    @property
    def parts(self) -> tuple[Node, ...]:
        return self.choices

    def find(self, value: object, work: Work) -> object:
        found: object = None
        for choice in self.choices:
            found = choice.find(value, work)
            if not is_false(found):
                break
        return found


@dataclass(frozen=True)
class Both(Node):
    """The first that is false, or the last: a && b."""

    choices: tuple[Node, ...]

    @property
    def parts(self) -> tuple[Node, ...]:
        return self.choices

    def find(self, value: object, work: Work) -> object:
        found: object = None
        for choice in self.choices:
            found = choice.find(value, work)
            if is_false(found):
                break
        return found


@dataclass(frozen=True)
class Not(Node):
    """Whether it is false: !a."""

    what: Node

    @property
    def parts(self) -> tuple[Node, ...]:
        return (self.what,)

    def find(self, value: object, work: Work) -> object:
        return is_false(self.what.find(value, work))


@dataclass(frozen=True)
class Comparison(Node):
    """True or false; null where what is put in order is neither two numbers nor two strings."""

    left: Node
    sign: str
    right: Node

    @property
    def parts(self) -> tuple[Node, ...]:
        return (self.left, self.right)

    def find(self, value: object, work: Work) -> object:
        left, right = self.left.find(value, work), self.right.find(value, work)
        if self.sign in ("==", "!="):
            return is_same(left, right, work) == (self.sign == "==")
        if isinstance(left, str) and isinstance(right, str):
            work.pay_text(min(len(left), len(right)))
        elif not (is_number(left) and is_number(right)):
            return None
        return _ORDERS[self.sign](cast("float", left), cast("float", right))


@dataclass(frozen=True)
class MultiList(Node):
    """An array of what each finds; null in null: [a, b]."""

    items: tuple[Node, ...]

    @property
    def parts(self) -> tuple[Node, ...]:
        return self.items

    def find(self, value: object, work: Work) -> object:
        return None if value is None else [item.find(value, work) for item in self.items]


@dataclass(frozen=True)
class MultiHash(Node):
    """An object of what each finds, under its key; null in null: {x: a, y: b}."""

    fields: tuple[tuple[str, Node], ...]

    @property
    def parts(self) -> tuple[Node, ...]:
        return tuple(node for _, node in self.fields)

    def find(self, value: object, work: Work) -> object:
        return None if value is None else {name: node.find(value, work) for name, node in self.fields}


@dataclass(frozen=True)
class Reference(Node):
    """An expression that a function gets as it is: &a."""

    what: Node

    @property
    def parts(self) -> tuple[Node, ...]:
        return (self.what,)

    def find(self, value: object, work: Work) -> object:
        def evaluate(one: object) -> object:
            return self.what.find(one, work)

        return Expression(evaluate, self.what.weight)


@dataclass(frozen=True)
class Call(Node):
    """What a function makes of its arguments; `at` is where it stands in the expression."""

    at: int
    name: str
    function: Function
    arguments: tuple[Node, ...]

    @property
    def parts(self) -> tuple[Node, ...]:
        return self.arguments

    def find(self, value: object, work: Work) -> object:
        given = [argument.find(value, work) for argument in self.arguments]
        try:
            return self.function.call(given, work)
        except Unfit as unfit:
            raise Fault(self.at, f"{self.name}(): {unfit}") from None
