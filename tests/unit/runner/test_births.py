"""A runner begins its life in its attempt's control group, and the group goes with it."""

from __future__ import annotations

import os
import random
import threading
from pathlib import Path

import pytest

from tailrace.domain.plan import RunStep
from tailrace.runner.births import Births
from tailrace.runner.cgroup import NO_CONTROL_GROUPS, ControlGroups
from tailrace.runner.command import send_abort
from tailrace.runner.group import noted
from tests.support.control_groups import left_of, need_limits
from tests.support.processes import ended
from tests.unit.runner.bench import Bench, inside, kill, parent_pid, until


@pytest.fixture
def groups(own: Bench) -> ControlGroups:
    """Those of a machine where a process can be born in a group of version 2."""
    found = need_limits(own.folder)
    if not any(branch.version == 2 for branch in found.branches):
        pytest.skip("this machine has no control groups of version 2")
    return found


async def test_a_runner_is_in_its_group_from_the_beginning(own: Bench, groups: ControlGroups) -> None:
    """So are its steps' processes, and nobody has to be moved."""
    attempt = own.attempt("cat /proc/self/cgroup; sleep 1000", grace_s=0.1)
    pid = await own.start(attempt)
    place = Path("/proc", str(pid), "cgroup").read_text().splitlines()[-1]
    await until(lambda: place.encode() in attempt.stdout)
    assert place.endswith(f"/{noted(attempt.folder)[0].name}")
    assert pid in inside(attempt)
    assert await send_abort(attempt.folder, "kim")
    assert (await own.end(attempt)).outcome.state == "aborted"
    await until(lambda: left_of(own.folder) == [])


async def test_steps_that_come_after_an_abort_are_in_the_group_too(own: Bench, groups: ControlGroups) -> None:
    """The runner has left it, to end all that was in it at once."""
    last = RunStep(name="last", run="cat /proc/self/cgroup; exec sleep 1000")
    attempt = own.attempt("echo ready; sleep 1000", last=(last,), grace_s=0.1)
    await own.start(attempt)
    await until(lambda: b"ready" in attempt.stdout)
    assert await send_abort(attempt.folder, "kim")
    await until(lambda: f"/{noted(attempt.folder)[0].name}\n".encode() in attempt.stdout)
    await until(lambda: inside(attempt) == set(attempt.processes) != set())
    assert await send_abort(attempt.folder, "kim")
    await own.end(attempt)
    await until(lambda: left_of(own.folder) == [])


async def test_the_group_of_a_runner_that_was_killed_is_emptied_and_removed(
    own: Bench, groups: ControlGroups
) -> None:
    """Whoever hides from everything else is in it still."""
    hidden = "env -i setsid sh -c 'cd /; exec sleep 1000' > /dev/null 2>&1 &"
    attempt = own.attempt(f"{hidden} echo ready; sleep 1000")
    pid = await own.start(attempt)
    await until(lambda: attempt.stdout == b"ready\n")
    members = inside(attempt) - {pid}
    assert len(members) > 1
    kill(pid)
    await until(lambda: left_of(own.folder) == [])
    assert all(ended(member) for member in members)


async def test_a_runner_whose_parent_died_removes_its_group_itself(
    own: Bench, groups: ControlGroups, tmp_path: Path
) -> None:
    """Nobody else would, until another warm parent begins."""
    go = tmp_path / "go"
    attempt = own.attempt(f"echo ready; until [ -e {go} ]; do sleep 0.01; done")
    pid = await own.start(attempt)
    await until(lambda: attempt.stdout == b"ready\n")
    kill(parent_pid(pid))
    go.touch()
    assert (await own.end(attempt)).outcome.state == "passed"
    assert left_of(own.folder) == []


def test_without_control_groups_it_is_an_ordinary_fork() -> None:
    births = Births(NO_CONTROL_GROUPS)
    pid, leaf = births.fork()
    if pid == 0:
        os._exit(7)
    assert leaf is None
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


def test_the_forked_process_is_python_as_after_any_fork(own: Bench, groups: ControlGroups) -> None:
    """What must be made anew after a fork is: random numbers, threads."""
    births = Births(groups)
    random.seed(1)
    expected = random.Random(1).random()
    pid, leaf = births.fork()
    if pid == 0:
        done: list[int] = []
        thread = threading.Thread(target=done.append, args=(1,))
        thread.start()
        thread.join()
        os._exit(0 if done == [1] and random.random() != expected else 3)
    assert leaf is not None
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    births.ended(pid)
    births.remove()
    assert not leaf.path.exists()
    groups.leave()
