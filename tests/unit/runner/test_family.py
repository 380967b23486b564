"""Nothing that a job started outlives it, whatever it did to get away and whoever is killed meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tailrace.runner.family import Family
from tailrace.runner.group import Group
from tailrace.runner.recover import finish_dead
from tests.support.control_groups import left_of, need_limits
from tests.unit.runner.bench import Bench, Carried, inside, kill, parent_pid, until

DETACHED = ">/dev/null 2>&1 </dev/null"
STRAYS = (
    f"(setsid sleep MARK {DETACHED} &)",  # forked twice, in a session of its own
    f"(trap '' TERM HUP; exec sleep MARK {DETACHED}) {DETACHED} &",
    f"env -i setsid nohup sleep MARK {DETACHED} &",  # without the cookie
    f"(cd / && env -i setsid sh -c '(sleep MARK &) & exec sleep MARK' {DETACHED} &)",
)
SLEEPS = 5
# Carries an attempt without a warm parent and without control groups, as on a machine that offers none.
PLAIN = """
import asyncio, sys
from pathlib import Path
from tailrace.runner.carry import carry
from tailrace.runner.folder import AttemptFolder

asyncio.run(carry(AttemptFolder(Path(sys.argv[1]))))
"""


def mark() -> str:
    """Seconds that nobody else sleeps."""
    return str(1_000_000 + int.from_bytes(os.urandom(4)))


def sleeping(seconds: str) -> list[int]:
    """Who sleeps so long, whoever their parent is and whatever their environment."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cmdline").read_bytes() == f"sleep\0{seconds}\0".encode():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def strays(seconds: str) -> str:
    return "\n".join(STRAYS).replace("MARK", seconds)


async def begun(bench: Bench, seconds: str) -> tuple[Carried, int]:
    """An attempt that has started all strays and goes on, and its runner."""
    attempt = bench.attempt(f"{strays(seconds)}\necho ready; exec sleep 1000", grace_s=0.1)
    pid = await bench.start(attempt)
    await until(lambda: attempt.stdout == b"ready\n" and len(sleeping(seconds)) == SLEEPS)
    return attempt, pid


async def test_nothing_outlives_a_job(own: Bench, tmp_path: Path) -> None:
    """Nor does its control group."""
    go, seconds = tmp_path / "go", mark()
    attempt = own.attempt(f"{strays(seconds)}\nuntil [ -e {go} ]; do sleep 0.01; done")
    await own.start(attempt)
    await until(lambda: len(sleeping(seconds)) == SLEEPS)
    go.touch()
    assert (await own.end(attempt)).outcome.state == "passed"
    assert sleeping(seconds) == []
    await until(lambda: left_of(own.folder) == [])


async def test_nothing_outlives_a_job_without_control_groups(own: Bench, tmp_path: Path) -> None:
    """The runner adopts what would get away."""
    go, seconds = tmp_path / "go", mark()
    attempt = own.attempt(f"{strays(seconds)}\nuntil [ -e {go} ]; do sleep 0.01; done")
    runner = subprocess.Popen((sys.executable, "-c", PLAIN, str(attempt.folder.path)))
    await until(lambda: len(sleeping(seconds)) == SLEEPS)
    go.touch()
    await until(lambda: runner.poll() is not None)
    assert attempt.finished is not None
    assert sleeping(seconds) == []
    assert not attempt.folder.groups.exists()


async def test_nothing_outlives_a_runner_that_was_killed(own: Bench) -> None:
    """The warm parent ends what it adopts, before anybody finishes the attempt."""
    seconds = mark()
    attempt, pid = await begun(own, seconds)
    kill(pid)
    await until(lambda: sleeping(seconds) == [])
    finish_dead(attempt.folder, 4711)
    assert attempt.processes == []
    await until(lambda: left_of(own.folder) == [])


async def test_nothing_outlives_runner_and_warm_parent(own: Bench) -> None:
    """Whoever finishes the attempt finds its control group, where its processes are whoever adopted them."""
    need_limits(own.folder)
    seconds = mark()
    attempt, pid = await begun(own, seconds)
    kill(parent_pid(pid))
    kill(pid)
    await until(lambda: not attempt.folder.is_alive())
    assert len(sleeping(seconds)) == SLEEPS
    finish_dead(attempt.folder, 4711)
    assert sleeping(seconds) == []
    await until(lambda: left_of(own.folder) == [])
    await own.carry(own.attempt("true"))  # its warm parent removes the agent's own folder in the end


async def test_a_new_warm_parent_ends_what_dead_runners_left(own: Bench) -> None:
    """Also where the attempt's folder is gone, so that nobody finishes it."""
    need_limits(own.folder)
    seconds = mark()
    attempt, pid = await begun(own, seconds)
    kill(parent_pid(pid))
    kill(pid)
    await until(lambda: not attempt.folder.is_alive())
    attempt.folder.remove()
    await own.carry(own.attempt("true"))
    assert sleeping(seconds) == []
    await own.warm.close(leave=True)
    await until(lambda: left_of(own.folder) == [])


async def test_a_runner_that_lives_keeps_its_group(own: Bench) -> None:
    """A new warm parent sweeps: not what belongs to a runner of the one before."""
    need_limits(own.folder)
    seconds = mark()
    attempt, pid = await begun(own, seconds)
    kill(parent_pid(pid))
    await own.carry(own.attempt("true"))
    assert len(sleeping(seconds)) == SLEEPS
    assert len(inside(attempt)) > SLEEPS
    kill(pid)
    await until(lambda: not attempt.folder.is_alive())
    finish_dead(attempt.folder, 4711)
    assert sleeping(seconds) == []


async def test_a_family_ends_what_control_groups_do_not_hold(tmp_path: Path) -> None:
    """An orphan without the cookie is found where it works in a dead runner's folder; a person's shell there is not."""
    place = tmp_path / "7-0123456789abcdef" / "workspace"
    place.mkdir(parents=True)
    seconds = mark()
    start = f"cd {place} && (env -i setsid sleep {seconds} {DETACHED} &)"
    subprocess.run(("setsid", "sh", "-c", start), check=True)
    shell = subprocess.Popen(("sleep", "1000"), cwd=place)
    try:
        (orphan,) = await until(lambda: sleeping(seconds))
        if parent_pid(orphan) != 1:
            pytest.skip("orphans of this machine's tests are adopted by another process than the first one")
        assert Family("0123456789abcdef", None).members() == [orphan]
        assert Family("0123456789abcdef", shell.pid).members() == []
        assert await Family("0123456789abcdef", None, Group()).end() == []
        assert sleeping(seconds) == []
        assert shell.poll() is None
    finally:
        shell.kill()
        shell.wait()


async def test_what_works_in_a_kept_workspace_ends_with_its_dead_runner(own: Bench) -> None:
    """Without control groups and without a cookie; the workspace is not in the attempt's folder and stays."""
    seconds = mark()
    attempt = own.attempt(
        f"(env -i setsid sleep {seconds} {DETACHED} &)\necho ready; exec sleep 1000", workspace="keep"
    )
    runner = subprocess.Popen((sys.executable, "-c", PLAIN, str(attempt.folder.path)))
    await until(lambda: attempt.stdout == b"ready\n" and sleeping(seconds))
    kill(runner.pid)
    runner.wait()
    (orphan,) = sleeping(seconds)
    if parent_pid(orphan) != 1:
        kill(orphan)
        pytest.skip("orphans of this machine's tests are adopted by another process than the first one")
    finish_dead(attempt.folder, 4711)
    assert sleeping(seconds) == []


def test_a_kept_workspace_is_looked_for_among_those_alone(own: Bench) -> None:
    """Its name is in the attempt's folder, where a job or a full disk may leave another; a link in its place leads nowhere."""
    folder = own.attempt("true").folder
    assert folder.kept is None
    place = folder.workspaces / "acme-test-0-1"
    place.mkdir(parents=True)
    (place / "workspace").symlink_to("/")
    folder.kept_name.write_text(place.name)
    assert folder.kept == folder.workspaces.resolve() / place.name / "workspace"
    for name in ("", "..", "/", "../attempts", "acme\ntest-1"):
        folder.kept_name.write_text(name)
        assert folder.kept is None
