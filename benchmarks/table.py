"""The table that `make bench` prints, and the machine that it was measured on."""

from __future__ import annotations

import math
import os
import platform
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness import Report, Row

HEAD = ("benchmark", "ours", "baseline", "ratio", "unit", "must be", "rounds")
NUMBERS = (1, 2, 3, 6)


@dataclass(frozen=True)
class Machine:
    """Where a table was measured; `load` is the load average of the last minute before it began."""

    processor: str
    processors: int
    memory_gib: float
    system: str
    python: str
    sqlite: str
    load: float

    def __str__(self) -> str:
        return (
            f"{self.processors} × {self.processor}, {self.memory_gib:.0f} GiB, {self.system},"
            f" Python {self.python}, SQLite {self.sqlite}, load {self.load:.1f} at the start"
        )


def this_machine() -> Machine:
    """The machine that this process runs on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(
        processor=_processor(),
        processors=os.cpu_count() or 1,
        memory_gib=memory / 2**30,
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        sqlite=sqlite3.sqlite_version,
        load=os.getloadavg()[0],
    )


def figure(value: float) -> str:
    """Three significant digits, without an exponent."""
    if not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    digits = max(2 - math.floor(math.log10(abs(value))), 0)
    return f"{value:,.{digits}f}"


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table, padded so that a terminal shows it well too."""
    cells = [HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEAD))]
    rule = tuple(
        "-" * (width - 1) + (":" if column in NUMBERS else "-") for column, width in enumerate(widths)
    )
    lines = [cells[0], rule, *cells[1:]]
    return "\n".join(_line(line, widths) for line in lines)


def as_json(reports: dict[str, Report], machine: Machine, date: str, command: str) -> dict[str, object]:
    """All of it for `--json`; a ratio without a baseline is null."""
    return {
        "date": date,
        "command": command,
        "machine": vars(machine),
        "rows": [
            {
                "benchmark": name,
                "name": row.name,
                "ours": row.ours,
                "baseline": row.baseline,
                "ratio": row.ratio if math.isfinite(row.ratio) else None,
                "unit": row.unit,
                "limit": row.limit,
                "rounds": row.rounds,
            }
            for name, report in reports.items()
            for row in report.rows
        ],
        "notes": {name: list(report.notes) for name, report in reports.items() if report.notes},
    }


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.name,
        figure(row.ours),
        figure(row.baseline),
        figure(row.ratio),
        row.unit,
        row.limit,
        str(row.rounds),
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cell.rjust(width) if column in NUMBERS else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return f"| {' | '.join(padded)} |"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
