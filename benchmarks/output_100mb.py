"""100 MB of output in lines of 100 bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path

from benchmarks.harness import Report
from benchmarks.output import Written, measure_output

LINE = "0123456789" * 9 + "012345678"
FULL_BYTES = 100_000_000
QUICK_BYTES = 1_000_000


async def measure(folder: Path, quick: bool) -> Report:
    """Seconds until the log is readable, and until it is sealed."""
    size, rounds = (QUICK_BYTES, 1) if quick else (FULL_BYTES, 5)
    # `yes` is ended by SIGPIPE: a failure by the rules of pipefail, but not by ours.
    script = f"set +o pipefail\nyes {LINE} | head -c {size}\n"
    name = f"output_100mb: {size / 1e6:.0f} MB"
    return await measure_output(
        folder, rounds, Written(name, script, size, hash_of_lines(size), "≤ 4 ×", seals=True)
    )


def hash_of_lines(size: int) -> str:
    """SHA-256 of so many bytes of the lines that `yes` repeats."""
    line = f"{LINE}\n".encode()
    block = line * 10_000
    digest = hashlib.sha256()
    for _ in range(size // len(block)):
        digest.update(block)
    digest.update((line * (size % len(block) // len(line) + 1))[: size % len(block)])
    return digest.hexdigest()
