"""`python -m benchmarks [NAME…]`: measure, and print one table."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from benchmarks import (
    abort,
    big_log,
    checkout,
    dispatch,
    fanout,
    latency,
    leases,
    masking,
    memory,
    million_runs,
    no_op,
    output_100mb,
    output_lines,
    polls,
    reconnect,
    sealed_size,
    webhooks,
)
from benchmarks.harness import Measure, Report
from benchmarks.table import as_json, table, this_machine

BENCHMARKS: dict[str, Measure] = {
    "leases": leases.measure,
    "dispatch": dispatch.measure,
    "no_op": no_op.measure,
    "webhooks": webhooks.measure,
    "million_runs": million_runs.measure,
    "checkout": checkout.measure,
    "abort": abort.measure,
    "memory": memory.measure,
    "output_100mb": output_100mb.measure,
    "output_lines": output_lines.measure,
    "latency": latency.measure,
    "fanout": fanout.measure,
    "reconnect": reconnect.measure,
    "masking": masking.measure,
    "sealed_size": sealed_size.measure,
    "big_log": big_log.measure,
    "polls": polls.measure,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks that were asked for; all of them when none was."""
    wish = _parse(arguments)
    signal.signal(signal.SIGTERM, _exit)  # so that what was started is ended too
    machine = this_machine()
    date = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    names = [name for name in BENCHMARKS if name in wish.names] if wish.names else list(BENCHMARKS)
    command = " ".join(["python -m benchmarks", *(["--quick"] if wish.quick else []), *wish.names])
    reports: dict[str, Report] = {}
    for name in names:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="tailrace-bench-") as folder:
            reports[name] = asyncio.run(BENCHMARKS[name](Path(folder), wish.quick))
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    print(table([row for report in reports.values() for row in report.rows]))
    for report in reports.values():
        for note in report.notes:
            print(f"\n{note}")
    print(f"\n{machine}\n{date}: {command}")
    if wish.json is not None:
        found = as_json(reports, machine, date, command)
        wish.json.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    return 0


def _exit(_number: int, _frame: FrameType | None) -> None:
    sys.exit(1)


class _Wish(argparse.Namespace):
    names: list[str]
    quick: bool
    json: Path | None


def _parse(arguments: Sequence[str] | None) -> _Wish:
    parser = argparse.ArgumentParser(
        "python -m benchmarks", description="Measure, each figure beside its baseline."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which ones: {', '.join(BENCHMARKS)} (all)")
    parser.add_argument(
        "--quick", action="store_true", help="everything once and small: shows that it works, no more"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to FILE")
    wish = parser.parse_args(arguments, _Wish())
    unknown = sorted(set(wish.names) - BENCHMARKS.keys())
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    return wish


if __name__ == "__main__":
    sys.exit(main())
