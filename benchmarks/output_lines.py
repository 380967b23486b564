"""A million short lines: written as `seq` writes them, in blocks, and each by a call of its own."""

from __future__ import annotations

import hashlib
from pathlib import Path

from benchmarks.harness import Report
from benchmarks.output import Written, measure_output

FULL_LINES = 1_000_000
QUICK_LINES = 10_000
LIMIT = "≤ +0.2 s"


async def measure(folder: Path, quick: bool) -> Report:
    """Seconds until the log is readable."""
    lines, rounds = (QUICK_LINES, 1) if quick else (FULL_LINES, 5)
    output = b"".join(b"%d\n" % number for number in range(1, lines + 1))
    size, sha256 = len(output), hashlib.sha256(output).hexdigest()
    who = f"output_lines: {lines:,} short lines"
    return await measure_output(
        folder,
        rounds,
        Written(who, f"seq {lines}\n", size, sha256, LIMIT),
        Written(f"{who}, a write each", f"seq {lines} | grep --line-buffered .\n", size, sha256, LIMIT),
    )
