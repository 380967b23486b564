"""What a sealed log takes up in the archive, in per cent of its bytes, beside the same file compressed whole by zstd -3.

Jobs print real logs again, with the pauses that give them spans; the segments' spans and indexes are counted.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from backports import zstd

from benchmarks.corpus.made import BLOCK_BYTES, write_made
from benchmarks.corpus.real import RealLog, collect
from benchmarks.harness import Report, Row
from benchmarks.load import start
from benchmarks.sealed import wait_sealed
from tests.support.house import House

CHECKOUT = Path(__file__).parents[1]
QUICK_BYTES = 1_000_000
APART = "git log -p"
"""No build prints it, but something like it: source text is what compresses least."""


async def measure(folder: Path, quick: bool) -> Report:
    """One row for all real logs of builds together, one for source text, one for the made-up log."""
    found, missing = await collect(folder / "real", quick)
    made = RealLog("made up", folder / "made.txt")
    write_made(made.path, QUICK_BYTES if quick else BLOCK_BYTES)
    logs = [*found, made]
    with House(folder) as house:
        start(house)
        packed = _seal(house, logs)
    sizes = {log.name: (log.path.stat().st_size, packed[log.name], _whole(log.path)) for log in logs}
    builds = [name for name in sizes if name not in (APART, made.name)]
    rows = [_row(f"{len(builds)} real logs", [sizes[name] for name in builds], "≤ 12 %")] if builds else []
    rows += [_row(name, [sizes[name]], "") for name in (APART, made.name) if name in sizes]
    each = ", ".join(
        f"{name} {100 * ours / size:.1f} % of {size / 1000:,.0f} kB"
        for name, (size, ours, _) in sizes.items()
    )
    gone = f" Not produced here: {', '.join(missing)}." if missing else ""
    return Report(tuple(rows), (f"sealed_size: each log by itself: {each}.{gone}",))


def _seal(house: House, logs: list[RealLog]) -> dict[str, int]:
    """Bytes in the archive, by the name of the log; all jobs run at once, as far as there are places."""
    replay = (sys.executable, str(CHECKOUT / "benchmarks" / "replay.py"))
    project = house.project()
    runs = {
        log.name: house.run(
            house.script_plan(shlex.join((*replay, str(log.path))), name=f"log-{number}", project=project)
        )
        for number, log in enumerate(logs)
    }
    return {name: wait_sealed(house, run).packed for name, run in runs.items()}


def _whole(path: Path) -> int:
    return len(zstd.compress(path.read_bytes(), 3))


def _row(name: str, sizes: list[tuple[int, int, int]], limit: str) -> Row:
    raw, ours, whole = (sum(column) for column in zip(*sizes, strict=True))
    return Row(f"sealed_size: {name}", 100 * ours / raw, 100 * whole / raw, "%", 1, limit)
