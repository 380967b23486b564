"""100 MB of output in lines of 100 bytes: from submitting the run to having its whole log readable.

Readable means that the log is closed: all bytes are at the server, verified and synced. The baseline is the same script with
its output in a file. After each of our rounds the output is read back through the API and compared by its hash.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from datetime import datetime
from pathlib import Path

from benchmarks.bare import SHELL
from benchmarks.harness import Report, Row, median, take_turns
from benchmarks.load import Submitter, Watch, start
from tests.support.house import House

LINE = "0123456789" * 9 + "012345678"
FULL_BYTES = 100_000_000
QUICK_BYTES = 1_000_000
LOG_CLOSED_WITHIN_S = 120


async def measure(folder: Path, quick: bool) -> Report:
    """Seconds until the log is readable, and until it is read back."""
    size, rounds = (QUICK_BYTES, 1) if quick else (FULL_BYTES, 5)
    # `yes` is ended by SIGPIPE: a failure by the rules of pipefail, but not by ours.
    script = f"set +o pipefail\nyes {LINE} | head -c {size}\n"
    with House(folder) as house:
        start(house)
        plan = house.script_plan(script, project=house.project())
        wanted = hash_of_lines(size)
        executing: list[float] = []
        reading: list[float] = []

        async def ours() -> float:
            taken, run = await _until_readable(house, plan)
            attempt = house.attempt(run)
            executing.append(_seconds_between(attempt["started_at"], attempt["finished_at"]))
            began = time.perf_counter()
            found = await asyncio.to_thread(_hash_of_log, house, attempt["log"])
            reading.append(time.perf_counter() - began)
            if found != (size, wanted):
                raise RuntimeError(
                    f"the log holds {found[0]} bytes of output, not the {size} that were written"
                )
            return taken

        async def baseline() -> float:
            return await _into_file(folder / "bare.sh", script, folder / "bare.txt", size)

        samples = await take_turns(rounds, ours, baseline)
    name = f"output_100mb: {size / 1e6:.0f} MB readable"
    note = (
        f"Of the seconds of {name}, the job itself ran for {median(executing):.2f} (it waits for whoever reads its output);"
        f" reading the output back through the API took {median(reading):.2f} more, not counted."
    )
    return Report((Row(name, median(samples[0]), median(samples[1]), "s", len(samples[0])),), (note,))


async def _until_readable(house: House, plan: int) -> tuple[float, int]:
    """Seconds from submitting a run to its log being closed, and the run."""
    async with await Watch.connect(house) as watch:
        submitter = await Submitter.connect(house, 1)
        began = time.time()
        [run] = await submitter.submit({"plan": plan})
        closed = await watch.log_closed(run, LOG_CLOSED_WITHIN_S)
        submitter.close()
        return closed - began, run


async def _into_file(script: Path, text: str, output: Path, size: int) -> float:
    script.write_text(text)
    began = time.perf_counter()
    with output.open("wb") as file:
        process = await asyncio.create_subprocess_exec(SHELL, "-eo", "pipefail", str(script), stdout=file)
        status = await process.wait()
    taken = time.perf_counter() - began
    if status != 0 or output.stat().st_size != size:
        raise RuntimeError(f"the script wrote {output.stat().st_size} bytes and ended with {status}")
    output.unlink()
    return taken


def hash_of_lines(size: int) -> str:
    """SHA-256 of so many bytes of the lines that `yes` repeats."""
    line = f"{LINE}\n".encode()
    block = line * 10_000
    digest = hashlib.sha256()
    for _ in range(size // len(block)):
        digest.update(block)
    digest.update((line * (size % len(block) // len(line) + 1))[: size % len(block)])
    return digest.hexdigest()


def _hash_of_log(house: House, log: int) -> tuple[int, str]:
    """Size and SHA-256 of what the processes wrote, without Tailrace's own lines."""
    digest = hashlib.sha256()
    size = 0
    with house.client.stream("GET", f"/api/logs/{log}", params={"stream": "stdout,stderr"}) as answer:
        for piece in answer.iter_bytes():
            digest.update(piece)
            size += len(piece)
    return size, digest.hexdigest()


def _seconds_between(begin: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()
