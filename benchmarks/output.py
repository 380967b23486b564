"""Output of a job, from submitting its run to having its whole log readable, beside the same script with its output in a file.

Readable means that the log is closed: all bytes are at the server, verified and synced. Sealed means that the archive holds
it, compressed, and has read it back; that is counted from the start of the job. After each of our rounds the output is
read back through the API and compared by its hash.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from benchmarks.bare import SHELL
from benchmarks.harness import Report, Row, median, take_turns
from benchmarks.load import Submitter, Watch, start
from benchmarks.sealed import wait_sealed
from tests.support.house import House

LOG_CLOSED_WITHIN_S = 120


@dataclass(frozen=True)
class Written:
    """A script, and what it writes: so many bytes, with this SHA-256. `limit` is for the last of its rows.

    `seals` asks for a row until the log is sealed.
    """

    name: str
    script: str
    size: int
    sha256: str
    limit: str = ""
    seals: bool = False


async def measure_output(folder: Path, rounds: int, *scripts: Written) -> Report:
    """A row for each script."""
    rows: list[Row] = []
    notes: list[str] = []
    with House(folder) as house:
        start(house)
        project = house.project()
        for number, written in enumerate(scripts):
            plan = house.script_plan(written.script, name=f"output-{number}", project=project)
            found = await Bench(house, plan, written, folder).measure(rounds)
            rows += found.rows
            notes += found.notes
    return Report(tuple(rows), tuple(notes))


class Bench:
    """One script, as a job and alone."""

    def __init__(self, house: House, plan: int, written: Written, folder: Path) -> None:
        self._house = house
        self._plan = plan
        self._written = written
        self._folder = folder
        self._executing: list[float] = []
        self._reading: list[float] = []
        self._sealing: list[float] = []

    async def measure(self, rounds: int) -> Report:
        """Seconds until the log is readable, and until it is read back."""
        name, limit = self._written.name, self._written.limit
        ours, alone = await take_turns(rounds, self._as_job, self._into_file)
        readable = f"{name}, readable"
        rows = [
            Row(readable, median(ours), median(alone), "s", len(ours), "" if self._written.seals else limit)
        ]
        note = (
            f"Of the seconds of {readable}, the job itself ran for {median(self._executing):.2f} (it waits for whoever reads its"
            f" output); reading the output back through the API took {median(self._reading):.2f} more, not counted."
        )
        if self._written.seals:
            sealed = median(self._sealing)
            rows.append(Row(f"{name}, sealed", sealed, median(alone), "s", len(ours), limit))
            note += (
                f" From the start of the job to the archive: {self._written.size / 1e6 / sealed:,.0f} MB/s."
            )
        return Report(tuple(rows), (note,))

    async def _as_job(self) -> float:
        """Seconds from submitting a run to its log being closed."""
        async with await Watch.connect(self._house) as watch:
            submitter = await Submitter.connect(self._house, 1)
            began = time.time()
            [run] = await submitter.submit({"plan": self._plan})
            taken = await watch.log_closed(run, LOG_CLOSED_WITHIN_S) - began
            submitter.close()
        if self._written.seals:
            sealed_ms = (await asyncio.to_thread(wait_sealed, self._house, run)).sealed_ms
            started = datetime.fromisoformat(self._house.attempt(run)["started_at"])
            self._sealing.append(sealed_ms / 1000 - started.timestamp())
        attempt = self._house.attempt(run)
        self._executing.append(_seconds_between(attempt["started_at"], attempt["finished_at"]))
        await self._read_back(attempt["log"])
        return taken

    async def _read_back(self, log: int) -> None:
        began = time.perf_counter()
        size, sha256 = await asyncio.to_thread(_hash_of_log, self._house, log)
        self._reading.append(time.perf_counter() - began)
        if (size, sha256) != (self._written.size, self._written.sha256):
            raise RuntimeError(
                f"{self._written.name}: the log holds {size} bytes of output with the SHA-256 {sha256},"
                f" not the {self._written.size} with {self._written.sha256} that were written"
            )

    async def _into_file(self) -> float:
        script, output = self._folder / "bare.sh", self._folder / "bare.txt"
        script.write_text(self._written.script)
        began = time.perf_counter()
        with output.open("wb") as file:
            process = await asyncio.create_subprocess_exec(SHELL, "-eo", "pipefail", str(script), stdout=file)
            status = await process.wait()
        taken = time.perf_counter() - began
        if status != 0 or output.stat().st_size != self._written.size:
            raise RuntimeError(f"the script wrote {output.stat().st_size} bytes and ended with {status}")
        output.unlink()
        return taken


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
