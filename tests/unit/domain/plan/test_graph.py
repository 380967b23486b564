"""Circles and the order of jobs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.domain.plan.graph import find_cycles, in_order

NAMES = st.sampled_from("abcdefgh")
GRAPHS = st.dictionaries(NAMES, st.lists(NAMES, unique=True, max_size=4))


def test_a_circle_is_told_from_its_first_job_in_the_direction_of_needs():
    needs = {"x": ["b"], "a": ["x"], "b": ["c"], "c": ["a"], "d": ["a"]}
    assert find_cycles(needs) == [("x", "b", "c", "a")]


def test_circles_apart_are_all_told():
    assert find_cycles({"a": ["b"], "b": ["a"], "c": ["d"], "d": ["c", "a"]}) == [("a", "b"), ("c", "d")]


def test_a_graph_without_circles_has_none():
    assert find_cycles({"a": [], "b": ["a"], "c": ["a", "b"], "d": ["unknown"]}) == []


def test_jobs_come_after_what_they_need():
    assert in_order({"c": ["b"], "b": ["a"], "a": []}) == ("a", "b", "c")
    with pytest.raises(ValueError):
        in_order({"a": ["b"], "b": ["a"]})


@given(GRAPHS)
def test_every_circle_told_is_one_and_without_them_none_is_left(needs: dict[str, list[str]]):
    circles = find_cycles(needs)
    for circle in circles:
        for name, needed in zip(circle, (*circle[1:], circle[0]), strict=True):
            assert needed in needs[name]
    gone = [name for circle in circles for name in circle]
    assert len(gone) == len(set(gone))
    left = {
        name: [n for n in names if n in needs and n not in gone]
        for name, names in needs.items()
        if name not in gone
    }
    order = in_order(left)
    assert all(order.index(needed) < order.index(name) for name, names in left.items() for needed in names)
