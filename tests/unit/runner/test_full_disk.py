"""Disks without room: who fills one with its own files makes room with its end, and who does not waits."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tailrace.domain.plan import RunStep
from tailrace.domain.plan.model import WorkspaceMode
from tailrace.runner.command import send_abort
from tests.support.disk import fill, relieve, small_disk
from tests.support.svn import SvnRepository
from tests.unit.runner.bench import Bench, Carried, git, until
from tests.unit.runner.test_output import listener, stalls

MIB = 1 << 20
# Carries an attempt with little patience.
HASTY = """
import asyncio, sys
from pathlib import Path
from tailrace.runner.carry import carry
from tailrace.runner.folder import AttemptFolder

asyncio.run(carry(AttemptFolder(Path(sys.argv[1])), full_s=0.2))
"""
FILLS = "cat /dev/zero > big || true; while :; do echo 'there is no room'; done"
LAST = (RunStep(name="last", run="echo last"),)


def carried_hastily(attempt: Carried) -> subprocess.Popen[bytes]:
    return subprocess.Popen((sys.executable, "-c", HASTY, str(attempt.folder.path)))


@pytest.mark.parametrize("workspace", ["clean", "keep"])
async def test_who_fills_the_disk_ends(bench_in: Callable[[Path], Bench], workspace: WorkspaceMode) -> None:
    """Long before its timeout, with words that say why; its log has the room that its files had, and is whole."""
    with small_disk(12 * MIB) as disk:
        bench = bench_in(disk)
        attempt = bench.attempt(FILLS, "echo never", last=LAST, workspace=workspace, grace_s=0.2)
        runner = carried_hastily(attempt)
        try:
            await until(lambda: runner.poll() is not None)
            assert runner.returncode == 0
            finished = attempt.finished
            assert finished is not None
            assert (finished.outcome.state, finished.outcome.reason) == ("failed", "out_of_disk")
            assert finished.outcome.detail is not None
            assert "and the job's own files hold " in finished.outcome.detail
            assert finished.size == len(attempt.whole[1])
            assert set(attempt.stdout.splitlines()) == {b"there is no room"}
            assert attempt.system.endswith(f"tailrace: failed: {finished.outcome.detail}\n")
            assert [state for _, state, _ in attempt.steps] == ["failed", "skipped", "skipped"]
            assert attempt.processes == []
            again = bench.attempt("ls", workspace=workspace)
            assert (await bench.carry(again)).outcome.state == "passed"
            assert again.stdout == b""
        finally:
            runner.kill()
            runner.wait()
            bench.clear()


async def test_an_abort_need_not_wait_for_room(bench_in: Callable[[Path], Bench]) -> None:
    """What the log has no room for has that of the workspace, also of one that would be kept."""
    with small_disk(12 * MIB) as disk, listener(disk / "wake.sock") as agent:
        bench = bench_in(disk)
        attempt = bench.attempt("cat /dev/zero > big || true; yes", workspace="keep", grace_s=0.2)
        try:
            await bench.start(attempt)
            await until(lambda: any(stalls(agent)))
            assert await send_abort(attempt.folder, "kim")
            outcome = (await bench.end(attempt)).outcome
            assert (outcome.state, outcome.detail) == ("aborted", "aborted by kim")
            assert attempt.system.endswith("tailrace: aborted by kim\n")
        finally:
            bench.clear()


async def test_who_did_not_fill_it_waits(bench_in: Callable[[Path], Bench], tmp_path: Path) -> None:
    """However long: others may make room, and its end would make none."""
    gate = tmp_path / "gate"
    with small_disk(12 * MIB) as disk, listener(disk / "wake.sock") as agent:
        bench = bench_in(disk)
        attempt = bench.attempt(f"until test -e {gate}; do sleep 0.01; done; seq 200000")
        runner = carried_hastily(attempt)
        try:
            await until(lambda: b"attempt 1" in attempt.whole[1])
            fill(disk)
            gate.touch()
            full: list[str] = []
            await until(lambda: full.extend(filter(None, stalls(agent))) or len(full) >= 8)
            assert attempt.finished is None
            relieve(disk)
            await until(lambda: runner.poll() is not None)
            assert attempt.finished is not None
            assert attempt.finished.outcome.state == "passed"
            assert attempt.stdout.splitlines()[-1] == b"200000"
        finally:
            runner.kill()
            runner.wait()
            bench.clear()


@pytest.mark.parametrize("kind", ["git", "svn"])
async def test_sources_that_the_disk_has_no_room_for(
    bench_in: Callable[[Path], Bench], tmp_path: Path, kind: str
) -> None:
    """The repository is not to blame."""
    large = "".join(f"{number * 2654435761 % 2**32:08x}\n" for number in range(1_000_000))
    place = tmp_path / "large"
    if kind == "git":
        place.mkdir()
        git(place, "init", "-q")
        (place / "file").write_text(large)
        git(place, "add", ".")
        git(place, "commit", "-q", "-m", "large")
        address, ref = str(place), None
    else:
        made = SvnRepository(place)
        made.commit("large", {"trunk/file": large})
        address, ref = made.address, "trunk"
    with small_disk(3 * MIB) as disk:
        bench = bench_in(disk)
        try:
            outcome = (
                await bench.carry(bench.attempt("true", checkout=True, repository=address, ref=ref))
            ).outcome
            assert (outcome.state, outcome.reason) == ("failed", "out_of_disk"), outcome.detail
        finally:
            bench.clear()
