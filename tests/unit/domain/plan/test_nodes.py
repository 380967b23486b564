"""YAML nodes, read with both of PyYAML's loaders."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tailrace.domain.plan.errors import Place, Problems, Unreadable
from tailrace.domain.plan.nodes import Items, Mapping, Node, Scalar, read_nodes


@pytest.fixture(params=["CSafeLoader", "SafeLoader"])
def loader(request: pytest.FixtureRequest) -> type[Any]:
    return getattr(yaml, request.param)


def read(text: str, loader: type[Any]) -> Node | None:
    problems = Problems()
    node = read_nodes(text, problems, loader)
    assert not problems.as_errors("")
    return node


def test_nodes_know_where_they_begin(loader: type[Any]):
    root = read("a: [1, 'x']\né: {b: 2}\n", loader)
    assert isinstance(root, Mapping)
    first, second = root.entries
    assert (first.key, first.place) == ("a", Place(1, 1))
    assert first.value == Items(
        Place(1, 4), (Scalar(Place(1, 5), "1", True), Scalar(Place(1, 8), "x", False))
    )
    assert isinstance(second.value, Mapping)
    assert second.value.entries[0].place == Place(2, 5)


@pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL"])
def test_nothing_is_written_in_five_ways(loader: type[Any], text: str):
    root = read(f"- {text}\n- '{text}'\n", loader)
    assert isinstance(root, Items)
    assert [isinstance(item, Scalar) and item.is_null for item in root.items] == [True, False]


def test_an_alias_of_a_value_stands_where_it_is_used_and_one_of_a_list_where_it_is_written(loader: type[Any]):
    root = read("- &a x\n- *a\n- &b [y]\n- *b\n", loader)
    assert isinstance(root, Items)
    assert [item.place for item in root.items] == [Place(1, 3), Place(2, 3), Place(3, 3), Place(3, 3)]


def test_the_latest_anchor_of_a_name_counts(loader: type[Any]):
    root = read("[&a x, &a y, *a]", loader)
    assert isinstance(root, Items)
    assert [item.text for item in root.items if isinstance(item, Scalar)] == ["x", "y", "y"]


def test_merged_entries_give_way_to_written_ones_and_to_earlier_merged_ones(loader: type[Any]):
    root = read("{<<: [{a: 1, b: 1}, {b: 2, c: 2, <<: {d: 4}}], c: 3}", loader)
    assert isinstance(root, Mapping)
    texts = {entry.key: entry.value.text for entry in root.entries if isinstance(entry.value, Scalar)}
    assert texts == {"c": "3", "a": "1", "b": "1", "d": "4"}


def test_a_key_that_aliases_name_twice_is_given_twice(loader: type[Any]):
    problems = Problems()
    read_nodes("{&a x: 1, *a : 2}", problems, loader)
    assert [str(error) for error in problems.as_errors("p")] == [
        'p:1:11: "x" is given twice; the first is at line 1, column 2'
    ]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "{a: " * 100_000,
        "- " * 100_000,
        "? " * 100_000,
        "&a [*a]",
        "[a, " * 99 + "[",
        "!x y",
        "a\n---\nb",
        "[" + "a, " * 20_001,
        '"\\UFFFFFFFF"',
        "\t- a",
        "%YAML 9" + "9" * 5000 + ".1\n---\n",
        "%TAG ! x\n%TAG ! x\n---\n",
    ],
)
def test_what_cannot_be_read_has_a_place(loader: type[Any], text: str):
    with pytest.raises(Unreadable) as caught:
        read_nodes(text, Problems(), loader)
    assert caught.value.place >= Place(1, 1)
    assert caught.value.message
