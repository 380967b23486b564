"""What binds how tightly, what is no expression, and where that is said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.domain.jmespath import MAX_DEPTH, Fault, Work, parse
from tailrace.domain.jmespath.nodes import (
    Both,
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
    Slice,
)

A, B, C, D = Key("a"), Key("b"), Key("c"), Key("d")
HERE = Current()


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("a.b.c", Chain((A, B, C))),
        ("a[0].b", Chain((A, Index(0), B))),
        ("[-1]", Chain((HERE, Index(-1)))),
        ("a | b | c", Chain((A, B, C))),
        ("a || b || c", Either((A, B, C))),
        ("a && b && c", Both((A, B, C))),
        ("a || b && c", Either((A, Both((B, C))))),
        ("(a || b) && c", Both((Either((A, B)), C))),
        ("a | b || c", Chain((A, Either((B, C))))),
        ("a == b && c != d", Both((Comparison(A, "==", B), Comparison(C, "!=", D)))),
        ("a < b == c", Comparison(Comparison(A, "<", B), "==", C)),
        ("!a && b", Both((Not(A), B))),
        ("!a == b", Comparison(Not(A), "==", B)),
        ("!a.b", Not(Chain((A, B)))),
        ("!a[]", Not(Each(Flat(A), HERE))),
        ("!!a", Not(Not(A))),
        ("a[*]", Each(A, HERE)),
        ("a[*].b.c", Each(A, Chain((B, C)))),
        ("a[*][0]", Each(A, Chain((HERE, Index(0))))),
        ("a[*].b | [0]", Chain((Each(A, B), Chain((HERE, Index(0)))))),
        ("a[*].b || c", Either((Each(A, B), C))),
        ("a[].b", Each(Flat(A), B)),
        ("a[*].b[]", Each(Flat(Each(A, B)), HERE)),
        ("a[][].b", Each(Flat(Each(Flat(A), HERE)), B)),
        ("a[1:].b", Each(Chain((A, Slice(1, None, None))), B)),
        ("a[0][:2].b", Each(Chain((A, Index(0), Slice(None, 2, None))), B)),
        ("a[1:2:-1]", Each(Chain((A, Slice(1, 2, -1))), HERE)),
        ("a[::]", Each(Chain((A, Slice(None, None, None))), HERE)),
        ("a.*.b", EachValue(A, B)),
        ("*.a", EachValue(HERE, A)),
        ("a[?b].c[0]", EachThat(A, B, Chain((C, Index(0))))),
        ("a[?b][?c]", EachThat(A, B, EachThat(HERE, C, HERE))),
        ("a[?b == 'x' || c]", EachThat(A, Either((Comparison(B, "==", Literal("x")), C)), HERE)),
        ("a.[b, c]", Chain((A, MultiList((B, C))))),
        ("[a, b[0]]", MultiList((A, Chain((B, Index(0)))))),
        ("[*, a]", MultiList((EachValue(HERE, HERE), A))),
        ("a.{x: b, \"y z\": c || d}", Chain((A, MultiHash((("x", B), ("y z", Either((C, D)))))))),
        ("a[*].b.{x: c}", Each(A, Chain((B, MultiHash((("x", C),)))))),
        ("a[*].[b, c][0]", Chain((Each(A, MultiList((B, C))), Index(0)))),
        ("`{\"x\": [1, null]}`", Literal({"x": [1, None]})),
        ("`1.5`", Literal(1.5)),
        (r"`\"\`\"`".replace(r"\"", '"'), Literal("`")),
        (r"'it\'s \\n'", Literal(r"it's \\n")),
        ('"gr\\u00f6\\u00dfe"."a-b"', Chain((Key("größe"), Key("a-b")))),
        (" \n a\t. b ", Chain((A, B))),
    ],
)  # fmt: skip
def test_what_binds_how_tightly(text: str, node: Node) -> None:
    assert parse(text) == node


@pytest.mark.parametrize(
    ("text", "at", "words"),
    [
        ("", 0, "found the end; expected a key"),
        ("a.", 2, "found the end; expected a key, a function"),
        ("a..b", 2, 'found "."'),
        (".a", 0, 'found "."'),
        ("a b", 2, 'found "b"; expected the end, or a sign'),
        ("a ||", 4, "found the end"),
        ("|| a", 0, 'found "||"'),
        ("a | | b", 4, 'found "|"'),
        ("a[", 2, "found the end; expected an index"),
        ("a[b]", 2, 'found "b"; expected an index, a slice, *, ? or ] (several expressions at once are written .[a, b])'),
        ("a[*][b]", 5, 'found "b"; expected an index'),
        ("a[1", 3, "expected a ], or a :"),
        ("a[1:2:3:4]", 7, "expected a number, a : or a ]"),
        ("a[0:1:0]", 2, "the step of a slice is 0"),
        ("a[*", 3, "expected a ]"),
        ("a[?b", 4, "a ] that ends the filter"),
        ("a.[0]", 3, 'found "0"'),
        ("a.[b,]", 5, 'found "]"'),
        ("{}", 1, 'found "}"; expected a key, as in {key: expression}'),
        ("{a}", 2, "expected a : and an expression"),
        ("{a: b c: d}", 6, "expected a , or a }"),
        ("(a", 2, "a ) that ends the brackets"),
        ("a.'b'", 2, "expected a key, a function"),
        ("a*", 1, 'found "*"; expected the end'),
        ("a = b", 2, "found =; to compare, write =="),
        ("a-b", 1, 'found "-b"; a key that holds other characters'),
        ("größe", 2, 'found "öße"; a key that holds other characters'),
        ('a."b', 2, 'a key in quotes that no " ends'),
        ("'b", 0, "a text that no ' ends"),
        ("`1", 0, "a JSON value that no ` ends"),
        ('"\\x"', 0, "expected a key in quotes"),
        ('"\\ud800"', 0, "expected a key in quotes"),
        ("`main`", 0, "expected a JSON value; a text is written 'so'"),
        ("`NaN`", 0, "expected a JSON value"),
        ("`\"\\ud800\"`", 0, "expected a JSON value"),
        (f"`{'[' * 900}`", 0, "expected a JSON value"),
        ("lenght(a)", 0, "there is no function lenght(); there are abs, avg,"),
        ("a | length()", 4, "length() takes 1 argument; found 0"),
        ("join(',', a, b)", 0, "join() takes 2 arguments; found 3"),
        ("merge()", 0, "merge() takes at least 1 argument; found 0"),
        ("abs(a b)", 6, "expected a , or a )"),
        ("abs(a,)", 6, 'found ")"'),
        ("sort_by(a, b)", 11, "expected an expression that sort_by() evaluates, as in &a"),
        ("length(&a)", 7, "only a function's argument begins so"),
        ("&a", 0, "only a function's argument begins so"),
        ('"length"(a)', 0, "the name of a function has no quotes"),
        ("@(a)", 1, 'found "("'),
        ("(length)(a)", 8, 'found "("'),
    ],
)  # fmt: skip
def test_what_is_no_expression_says_where(text: str, at: int, words: str) -> None:
    with pytest.raises(Fault) as fault:
        parse(text)
    assert (fault.value.at, words in fault.value.message) == (at, True), fault.value.message


@pytest.mark.parametrize(
    "text",
    [
        "(" * 500 + "a" + ")" * 500,
        "!" * 900 + "a",
        "[" * 900,
        "a" + "[*]" * 300,
        "a" + "[]" * 450,
        "a" + "[?b]" * 200,
        "a" + "==a" * 300,
        "a" + ".*" * 400,
        "{a:" * 300,
        "abs(" * 200,
        "map(&" * 150,
    ],
)
def test_expressions_in_expressions_have_an_end(text: str) -> None:
    """However they are nested, reading them does not run out of stack."""
    with pytest.raises(Fault, match=f"may be {MAX_DEPTH} deep"):
        parse(text)


@pytest.mark.parametrize("sign", [".", " | ", " || ", " && "])
def test_a_chain_is_as_long_as_it_likes(sign: str) -> None:
    node = parse(sign.join(["a"] * 300))
    assert node.depth == 2
    assert node.weight == 301


def test_as_deep_as_may_be_is_found() -> None:
    text = "map(&" * (MAX_DEPTH // 2 - 1) + "@" + ", a)" * (MAX_DEPTH // 2 - 1)
    assert parse(text).find({"a": []}, Work()) == []
    with pytest.raises(Fault, match="deep"):
        parse("map(&" + text + ", a)" + "." + text)


@given(st.text(alphabet="ab.[]0:'\"`|&@ \\-*?!=<>(){},", max_size=30))
def test_any_text_is_an_expression_or_a_fault(text: str) -> None:
    assert 0 <= _place(text) <= len(text)


def _place(text: str) -> int:
    try:
        parse(text)
    except Fault as fault:
        return -1 if fault.at is None else fault.at
    return 0
