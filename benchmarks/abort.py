"""From asking for a run's end until its last process is gone, beyond the time that the job itself took to end.

The job is a shell that takes 200 ms for its last words after SIGTERM, and what it started beside itself: forty processes in its
group, and ten in sessions of their own, half of which have overwritten their environment and none of which hear of the signal.
The baseline sends SIGTERM to the group and SIGKILL to each of the others, of whom it has a list.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from benchmarks.harness import Report, compare
from benchmarks.processes import has_ended
from tests.support.house import House
from tests.support.waiting import wait_for

IN_GROUP, APART = 40, 10
SCRIPT = """
trap 'sleep 0.2; date +%s%N > {said}.new; mv {said}.new {said}; exit 0' TERM
for i in $(seq {in_group}); do sleep {mark} & done
for i in $(seq {half}); do
    setsid sleep {mark} >/dev/null 2>&1 </dev/null &
    env -i setsid sleep {mark} >/dev/null 2>&1 </dev/null &
done
touch {ready}
while true; do sleep 0.01; done
"""


async def measure(folder: Path, quick: bool) -> Report:
    """Milliseconds from the job's own end until nothing of it lives."""
    with House(folder) as house:
        house.up()
        row = await compare(
            "abort: last process gone, beyond the job's own time",
            "ms",
            1 if quick else 8,
            lambda: asyncio.to_thread(_ours, house, folder),
            lambda: asyncio.to_thread(_bare, folder),
        )
    return Report((replace(row, limit="≤ 100 ms"),))


def _ours(house: House, folder: Path) -> float:
    script, mark = _script(folder)
    run = house.run(house.script_plan(script, checkout=False, name=f"abort-{mark}"))
    pids = _started(folder, mark)
    house.post(f"/api/runs/{run}/abort")
    taken = _beyond(folder, pids)
    house.wait_state(run, "aborted")
    return taken


def _bare(folder: Path) -> float:
    script, mark = _script(folder)
    job = subprocess.Popen(("/bin/bash", "-c", script), start_new_session=True, stderr=subprocess.DEVNULL)
    pids = _started(folder, mark)
    apart = [pid for pid in pids if os.getpgid(pid) != job.pid]
    os.killpg(job.pid, signal.SIGTERM)
    job.wait()
    for pid in apart:
        os.kill(pid, signal.SIGKILL)
    return _beyond(folder, pids)


def _script(folder: Path) -> tuple[str, str]:
    for name in ("said", "ready"):
        (folder / name).unlink(missing_ok=True)
    mark = str(1_000_000 + int.from_bytes(os.urandom(4)))
    words = {"said": folder / "said", "ready": folder / "ready", "mark": mark}
    return SCRIPT.format(**words, in_group=IN_GROUP, half=APART // 2), mark


def _started(folder: Path, mark: str) -> list[int]:
    """The processes that the job has started, once all are there."""

    def all_there() -> list[int]:
        found = [
            int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and _is(path, mark)
        ]
        return found if len(found) == IN_GROUP + APART and (folder / "ready").exists() else []

    return wait_for(all_there, "the job's processes")


def _is(process: Path, mark: str) -> bool:
    try:
        return (process / "cmdline").read_bytes() == f"sleep\0{mark}\0".encode()
    except OSError:
        return False


def _beyond(folder: Path, pids: Iterable[int]) -> float:
    while not all(map(has_ended, pids)):
        time.sleep(0.0005)
    gone = time.time()
    wait_for((folder / "said").exists, "the job's last words")
    return (gone - int((folder / "said").read_text()) / 1e9) * 1000
