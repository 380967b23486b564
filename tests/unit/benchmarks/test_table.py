from __future__ import annotations

import json
import math

import pytest

from benchmarks.harness import Report, Row
from benchmarks.table import as_json, figure, table, this_machine

ROWS = (Row("one", 20.04, 5, "ms", 3, "≤ 4 ×"), Row("another, longer", 7421.2, 3400, "leases/s", 12))


def test_the_table_is_markdown_and_aligned() -> None:
    assert table(ROWS).splitlines() == [
        "| benchmark       |  ours | baseline | ratio | unit     | must be | rounds |",
        "| --------------- | ----: | -------: | ----: | -------- | ------- | -----: |",
        "| one             |  20.0 |     5.00 |  4.01 | ms       | ≤ 4 ×   |      3 |",
        "| another, longer | 7,421 |    3,400 |  2.18 | leases/s |         |     12 |",
    ]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (0.01234, "0.0123"),
        (1, "1.00"),
        (12.34, "12.3"),
        (123.4, "123"),
        (99999, "99,999"),
        (math.inf, "–"),
    ],
)
def test_a_figure_has_three_significant_digits(value: float, shown: str) -> None:
    assert figure(value) == shown


def test_the_json_has_every_row_with_its_ratio_and_the_machine() -> None:
    machine = this_machine()
    reports = {"a": Report(ROWS, ("why",)), "b": Report((Row("nothing", 1, 0, "ms", 1),))}
    found = json.loads(json.dumps(as_json(reports, machine, "today", "this")))
    assert [(row["benchmark"], row["name"], row["unit"]) for row in found["rows"]] == [
        ("a", "one", "ms"),
        ("a", "another, longer", "leases/s"),
        ("b", "nothing", "ms"),
    ]
    assert [row["limit"] for row in found["rows"]] == ["≤ 4 ×", "", ""]
    assert [row["ratio"] for row in found["rows"]] == [ROWS[0].ratio, ROWS[1].ratio, None]
    assert found["notes"] == {"a": ["why"]}
    assert (found["date"], found["command"]) == ("today", "this")
    assert found["machine"]["processors"] == machine.processors > 0
