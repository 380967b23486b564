from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import BENCHMARKS, main

ROWS = {
    "leases": 2,
    "dispatch": 4,
    "no_op": 4,
    "output_100mb": 2,
    "output_lines": 2,
    "latency": 4,
    "fanout": 10,
    "reconnect": 4,
    "masking": 3,
    "sealed_size": 2,
    "big_log": 6,
    "checkout": 1,
    "abort": 1,
    "memory": 4,
    "webhooks": 3,
    "million_runs": 3,
    "polls": 3,
}


# They start servers of several kinds, one after the other, or make much to look at: up to a minute each.
SLOW = (
    "big_log",
    "checkout",
    "dispatch",
    "fanout",
    "million_runs",
    "output_100mb",
    "output_lines",
    "reconnect",
    "sealed_size",
)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.long if name in SLOW else ()) for name in BENCHMARKS]
)
def test_every_benchmark_works_in_its_smallest_size(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--quick", "--json", str(tmp_path / "found.json"), name]) == 0
    found = json.loads((tmp_path / "found.json").read_text())
    assert len(found["rows"]) == ROWS[name]
    printed = capsys.readouterr().out
    for row in found["rows"]:
        assert row["benchmark"] == name
        assert row["ours"] > 0
        assert row["baseline"] > 0
        assert f"| {row['name']} " in printed


def test_an_unknown_benchmark_is_named_with_those_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["speed"])
    told = capsys.readouterr().err
    assert "there is no benchmark speed" in told
    assert all(name in told for name in BENCHMARKS)
