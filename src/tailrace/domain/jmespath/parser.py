"""Text into nodes, by how tightly its signs bind (Vaughan Pratt, Top Down Operator Precedence, 1973)."""

from __future__ import annotations

from tailrace.domain.jmespath.faults import Fault
from tailrace.domain.jmespath.functions import EXPRESSION, FUNCTIONS
from tailrace.domain.jmespath.nodes import (
    Both,
    Call,
    Chain,
    Comparison,
    Current,
    Each,
    EachThat,
    EachValue,
    Either,
    Flat,
    Index,
    Key,
    Literal,
    MultiHash,
    MultiList,
    Node,
    Not,
    Reference,
    Slice,
)
from tailrace.domain.jmespath.tokens import Token, key_of, read_tokens, text_of, value_of

MAX_DEPTH = 60
"""Of expressions in expressions: brackets, projections, arguments. A chain (a.b.c, a || b || c) is as long as it likes."""

_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
_BINDS = {"|": 1, "||": 2, "&&": 3} | dict.fromkeys(_COMPARISONS, 5) | {"[]": 9, "[?": 21, ".": 40, "[": 55}
_NOT = 8  # tighter than what compares, looser than what goes on: !a.b is !(a.b)
_EACH = 20
_IN_BRACKET = "an index, a slice, *, ? or ] (several expressions at once are written .[a, b])"
_VALUE = "a key, an index, a text, a JSON value, a function, @, *, (, [, { or !"


def parse(text: str) -> Node:
    """The whole expression. Raises Fault, with the place."""
    reader = _Reader(read_tokens(text))
    node = reader.expression()
    reader.expect("end", "the end, or a sign between two expressions: . [ | || && == != < <= > >=")
    return node


class _Reader:
    """Goes through the tokens once, from left to right."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._place = 0
        self._depth = 0

    def expression(self, binding: int = 0) -> Node:
        """As far as the signs bind tighter than that."""
        at = self._next.at
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._too_deep(at)
        left = self._first()
        while self._next.kind == "sign" and _BINDS.get(self._next.text, 0) > binding:
            left = self._continued(left)
            if left.depth > MAX_DEPTH:  # before it grows: to ask a node for its depth takes as many calls
                raise self._too_deep(at)
        if left.depth > MAX_DEPTH:
            raise self._too_deep(at)
        self._depth -= 1
        return left

    def expect(self, sign: str, expected: str) -> None:
        """Take this sign (or the end), or say that something else was expected."""
        if not self._take(sign):
            raise self._wrong(expected)

    @property
    def _next(self) -> Token:
        return self._tokens[self._place]

    def _advance(self) -> Token:
        token = self._next
        self._place += token.kind != "end"
        return token

    def _is(self, *signs: str) -> bool:
        token = self._next
        return (token.text if token.kind == "sign" else token.kind) in signs

    def _take(self, sign: str) -> bool:
        found = self._is(sign)
        if found:
            self._advance()
        return found

    def _wrong(self, expected: str) -> Fault:
        return Fault(self._next.at, f"found {self._next.shown}; expected {expected}")

    def _too_deep(self, at: int) -> Fault:
        return Fault(at, f"expressions in expressions may be {MAX_DEPTH} deep")

    def _first(self) -> Node:
        """What an expression begins with."""
        token = self._next
        if self._is("name", "quoted", "text", "literal"):
            return self._word(self._advance())
        match token.text if token.kind == "sign" else "":
            case "@":
                self._advance()
                return Current()
            case "(":
                self._advance()
                inner = self.expression()
                self.expect(")", "a ) that ends the brackets, or a sign between two expressions")
                return inner
            case "!":
                self._advance()
                return Not(self.expression(_NOT))
            case "*":
                self._advance()
                return EachValue(Current(), self._then(_EACH))
            case "[" if not self._is_bracket():
                self._advance()
                return self._multi_list()
            case "[" | "[]" | "[?":
                return self._bracket(Current())
            case "{":
                self._advance()
                return self._multi_hash()
            case "&":
                raise Fault(token.at, "found &: only a function's argument begins so, as in sort_by(a, &b)")
            case _:
                raise self._wrong(_VALUE)

    def _word(self, token: Token) -> Node:
        match token.kind:
            case "text":
                return Literal(text_of(token))
            case "literal":
                return Literal(value_of(token))
            case "quoted" if self._is("("):
                raise Fault(token.at, f"found {token.shown}: the name of a function has no quotes")
            case "name" if self._take("("):
                return self._call(token)
            case _:
                return Key(key_of(token))

    def _continued(self, left: Node) -> Node:
        """An expression and what its next sign adds to it."""
        if self._is("[", "[]", "[?"):
            return self._bracket(left)
        sign = self._advance().text
        match sign:
            case "." if self._take("*"):
                return EachValue(left, self._then(_BINDS["."]))
            case ".":
                return _chain(left, self._after_dot(_BINDS["."]))
            case "|":
                return _chain(left, self.expression(_BINDS["|"]))
            case "||":
                right = self.expression(_BINDS["||"])
                return Either((*(left.choices if isinstance(left, Either) else (left,)), right))
            case "&&":
                right = self.expression(_BINDS["&&"])
                return Both((*(left.choices if isinstance(left, Both) else (left,)), right))
            case _:
                return Comparison(left, sign, self.expression(_BINDS[sign]))

    def _is_bracket(self) -> bool:
        """Whether an index, a slice or [*] comes, and no array of several expressions."""
        signs = [
            token.text if token.kind == "sign" else token.kind
            for token in self._tokens[self._place + 1 :][:2]
        ]
        return signs[0] in ("number", ":") or signs == ["*", "]"]

    def _bracket(self, left: Node) -> Node:
        """[], [?…], [*], [0] or [1:2:3] after an expression."""
        sign = self._advance().text
        if sign == "[]":
            return Each(Flat(left), self._then(_BINDS["[]"]))
        if sign == "[?":
            condition = self.expression()
            self.expect("]", "a ] that ends the filter, or a sign between two expressions")
            return EachThat(left, condition, self._then(_BINDS["[?"]))
        if self._take("*"):
            self.expect("]", "a ]")
            return Each(left, self._then(_EACH))
        if not self._is("number", ":"):
            raise self._wrong(_IN_BRACKET)
        at, start = self._next.at, self._number()
        if not self._is(":"):
            self.expect("]", "a ], or a : and the end of a slice")
            return _chain(left, Index(start or 0))
        return Each(_chain(left, self._slice(at, start)), self._then(_EACH))

    def _slice(self, at: int, start: int | None) -> Slice:
        self._advance()
        stop, step = self._number(), None
        if self._take(":"):
            step = self._number()
        self.expect("]", "a number, a : or a ]")
        if step == 0:
            raise Fault(at, "the step of a slice is 0; expected any other number")
        return Slice(start, stop, step)

    def _number(self) -> int | None:
        return int(self._advance().text) if self._is("number") else None

    def _then(self, binding: int) -> Node:
        """What is done to each element of a projection."""
        if self._is("[") and not self._is_bracket():
            self._advance()
            raise self._wrong(_IN_BRACKET)
        if self._is("[", "[?"):
            return self.expression(binding)
        return self._after_dot(binding) if self._take(".") else Current()

    def _after_dot(self, binding: int) -> Node:
        if self._take("["):
            return self._multi_list()
        if self._take("{"):
            return self._multi_hash()
        if self._is("name", "quoted", "*"):
            return self.expression(binding)
        raise self._wrong("a key, a function, *, [ with expressions, or {")

    def _multi_list(self) -> Node:
        items = [self.expression()]
        while self._take(","):
            items.append(self.expression())
        self.expect("]", "a , or a ]")
        return MultiList(tuple(items))

    def _multi_hash(self) -> Node:
        fields = [self._field()]
        while self._take(","):
            fields.append(self._field())
        self.expect("}", "a , or a }")
        return MultiHash(tuple(fields))

    def _field(self) -> tuple[str, Node]:
        if not self._is("name", "quoted"):
            raise self._wrong("a key, as in {key: expression}")
        name = key_of(self._advance())
        self.expect(":", "a : and an expression")
        return name, self.expression()

    def _call(self, name: Token) -> Node:
        function = FUNCTIONS.get(name.text)
        if function is None:
            raise Fault(name.at, f"there is no function {name.text}(); there are {', '.join(FUNCTIONS)}")
        arguments: list[Node] = []
        while not self._take(")"):
            if arguments:
                self.expect(",", "a , or a )")
            takes = function.takes[min(len(arguments), len(function.takes) - 1)]
            arguments.append(self._argument(name, wanted=takes == EXPRESSION))
        least = len(function.takes)
        if len(arguments) < least or (len(arguments) > least and not function.more):
            wanted = f"{'at least ' if function.more else ''}{least} argument{'s' if least > 1 else ''}"
            raise Fault(name.at, f"{name.text}() takes {wanted}; found {len(arguments)}")
        return Call(name.at, name.text, function, tuple(arguments))

    def _argument(self, function: Token, *, wanted: bool) -> Node:
        if not wanted:
            return self.expression()
        if not self._take("&"):
            raise self._wrong(f"an expression that {function.text}() evaluates, as in &a")
        return Reference(self.expression())


def _chain(left: Node, right: Node) -> Chain:
    return Chain((*(left.steps if isinstance(left, Chain) else (left,)), right))
