from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.harness import Row, compare, median, percentile, take_turns

SAMPLES = st.lists(st.floats(min_value=-1e9, max_value=1e9), min_size=1)


def test_the_median_is_the_middle_sample_or_the_mean_of_the_two_in_the_middle() -> None:
    assert median([9, 1, 5]) == 5
    assert median([9, 1, 5, 6]) == 5.5


@given(SAMPLES)
def test_half_of_the_samples_lie_on_either_side_of_the_median(samples: list[float]) -> None:
    middle = median(samples)
    assert sum(sample <= middle for sample in samples) * 2 >= len(samples)
    assert sum(sample >= middle for sample in samples) * 2 >= len(samples)


def test_a_percentile_is_a_sample_by_its_rank() -> None:
    hundred = list(range(100, 0, -1))
    assert percentile(hundred, 50) == 50
    assert percentile(hundred, 99) == 99
    assert percentile(hundred, 100) == 100
    assert percentile([7], 1) == percentile([7], 99) == 7


@given(SAMPLES, st.floats(min_value=0.1, max_value=100))
def test_so_many_percent_of_the_samples_do_not_exceed_a_percentile(
    samples: list[float], percent: float
) -> None:
    bound = percentile(samples, percent)
    assert bound in samples
    within = sum(sample <= bound for sample in samples)
    assert within * 100 >= len(samples) * percent - 1e-6
    assert sum(sample < bound for sample in samples) * 100 < len(samples) * percent


def test_no_samples_are_an_error_and_not_a_zero() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        median([])
    with pytest.raises(ValueError, match="nothing was measured"):
        percentile([], 50)


async def test_ours_and_the_baseline_take_turns() -> None:
    order: list[str] = []

    async def ours() -> int:
        order.append("ours")
        return len(order)

    async def baseline() -> int:
        order.append("baseline")
        return len(order)

    assert await take_turns(3, ours, baseline) == ([1, 3, 5], [2, 4, 6])
    assert order == ["ours", "baseline"] * 3


async def test_a_slow_machine_makes_fewer_rounds_but_always_one() -> None:
    async def one() -> int:
        return 1

    assert await take_turns(3, one, one, within_s=0) == ([1], [1])


async def test_a_comparison_is_a_row_of_medians() -> None:
    ours, baseline = iter([30.0, 10.0, 20.0]), iter([4.0, 5.0, 600.0])

    async def next_of_ours() -> float:
        return next(ours)

    async def next_of_baseline() -> float:
        return next(baseline)

    row = await compare("one", "ms", 3, next_of_ours, next_of_baseline)
    assert row == Row("one", 20, 5, "ms", 3)
    assert row.ratio == 4


def test_the_ratio_to_nothing_is_infinite() -> None:
    assert Row("one", 1, 0, "ms", 1).ratio == math.inf
