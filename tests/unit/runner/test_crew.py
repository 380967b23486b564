"""A runner that has ended its attempt carries the next one, where it has seen nothing that another job must not."""

from __future__ import annotations

import asyncio
import os
import selectors
import signal
from collections.abc import Generator
from pathlib import Path
from typing import NoReturn

import pytest

from tailrace.domain.plan.model import LimitsSpec
from tailrace.runner import crew as crew_module
from tailrace.runner.births import Births
from tailrace.runner.cgroup import NO_CONTROL_GROUPS
from tailrace.runner.command import send_abort
from tailrace.runner.crew import Crew, Forked
from tailrace.runner.folder import AttemptFolder
from tailrace.runner.recover import finish_dead
from tailrace.runner.task import FREE, Task, next_task
from tests.support.control_groups import left_of, need_limits
from tests.support.processes import ended
from tests.unit.runner.bench import Bench, Carried, inside, kill, parent_pid, until


async def carried_by(own: Bench, attempt: Carried, secrets: dict[str, str] | None = None) -> int:
    """The process that carried it, from start to end."""
    await own.start(attempt, secrets)
    finished = await own.end(attempt)
    assert finished.outcome.state == "passed", finished
    pid = attempt.folder.signed_pid()
    assert pid is not None
    return pid


async def test_one_runner_carries_many_attempts(own: Bench) -> None:
    """Each with its own log, journal, errors and variables; nothing stays open of those before."""
    pids: list[int] = []
    opened: list[set[str]] = []
    for number in range(5):
        attempt = own.attempt(f"echo {number}; echo $GIVEN; export LEFT=1; echo ${{LEFT:-}}; umask 077; cd /",
                              job_variables={"GIVEN": f"given {number}"})  # fmt: skip
        pids.append(await carried_by(own, attempt))
        assert attempt.stdout.decode().splitlines()[:2] == [str(number), f"given {number}"]
        opened.append(set(os.listdir(f"/proc/{pids[-1]}/fd")))
        assert attempt.folder.errors.read_bytes() == b""
    assert len(set(pids)) == 1
    assert opened[0] == opened[-1]
    assert Path(f"/proc/{pids[0]}/cwd").readlink() == Path("/")


async def test_who_has_become_free_carries_the_next_one_however_busy_the_parent_was(own: Bench) -> None:
    """It hears of both at once: that a runner is free, and that there is something to carry."""
    attempt, following = own.attempt("true"), own.attempt("true")
    pid = await own.start(attempt)
    os.kill(parent_pid(pid), signal.SIGSTOP)
    try:
        await own.end(attempt)
        starting = asyncio.create_task(own.start(following))
        await asyncio.sleep(0.05)  # it is sent by then, or the test shows nothing
    finally:
        os.kill(parent_pid(pid), signal.SIGCONT)
    assert await starting == pid
    await own.end(following)


async def test_two_at_once_are_two_runners(own: Bench, tmp_path: Path) -> None:
    go = tmp_path / "go"
    first = own.attempt(f"until [ -e {go} ]; do sleep 0.01; done")
    pid = await own.start(first)
    assert await carried_by(own, own.attempt("true")) != pid
    go.touch()
    await own.end(first)


async def test_who_had_secrets_carries_nothing_else(own: Bench) -> None:
    """An idle runner may take such an attempt, and ends with it."""
    first = await carried_by(own, own.attempt("true"))
    second = await carried_by(own, own.attempt("true", secrets=("TOKEN",)), {"TOKEN": "not-to-be-kept"})
    assert second == first
    assert await carried_by(own, own.attempt("true")) != first
    await until(lambda: ended(first))


async def test_who_was_aborted_carries_nothing_else(own: Bench) -> None:
    """It has left its group, to end all that was in it."""
    attempt = own.attempt("echo ready; sleep 1000", grace_s=0.1)
    pid = await own.start(attempt)
    await until(lambda: b"ready" in attempt.stdout)
    assert await send_abort(attempt.folder, "kim")
    assert (await own.end(attempt)).outcome.state == "aborted"
    assert await carried_by(own, own.attempt("true")) != pid
    await until(lambda: ended(pid))


async def test_limits_of_one_attempt_do_not_hold_for_the_next(own: Bench) -> None:
    need_limits(own.folder)
    script = "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.2 & done; wait; echo done"
    await carried_by(own, own.attempt("true", limits=LimitsSpec(processes=4, memory=64 << 20)))
    attempt = own.attempt(script)
    await carried_by(own, attempt)
    assert b"done" in attempt.stdout


async def test_an_idle_runner_that_was_killed_is_replaced(own: Bench) -> None:
    pid = await carried_by(own, own.attempt("true"))
    kill(pid)
    assert await carried_by(own, own.attempt("true")) != pid


async def test_an_idle_runner_ends_with_its_parent(own: Bench) -> None:
    """Killed, or asked to leave."""
    pid = await carried_by(own, own.attempt("true"))
    kill(parent_pid(pid))
    await until(lambda: ended(pid))
    pid = await carried_by(own, own.attempt("true"))
    await own.warm.close(leave=True)
    await until(lambda: ended(pid))
    assert left_of(own.folder) == []


async def test_a_new_parent_leaves_the_group_of_a_runner_that_carries_its_second_attempt(own: Bench) -> None:
    """It has the name of no attempt; the one that is carried has noted it."""
    need_limits(own.folder)
    first = await carried_by(own, own.attempt("true"))
    attempt = own.attempt("echo ready; sleep 1000")
    pid = await own.start(attempt)
    assert pid == first
    await until(lambda: attempt.stdout == b"ready\n")
    kill(parent_pid(pid))
    await own.carry(own.attempt("true"))
    assert pid in inside(attempt)
    kill(pid)
    await until(lambda: not attempt.folder.is_alive())
    finish_dead(attempt.folder, 4711)
    assert attempt.processes == []


@pytest.fixture
def selector() -> Generator[selectors.BaseSelector]:
    with selectors.PollSelector() as made:
        yield made


class Hand:
    """A crew whose runners say that they are free at once, and leave when they are dismissed."""

    def __init__(self, folder: Path, selector: selectors.BaseSelector) -> None:
        self.crew = Crew(Births(NO_CONTROL_GROUPS), selector)
        self._selector = selector
        self._folder = AttemptFolder(folder)

    def carry(self, path: Path | None = None) -> int:
        folder = self._folder if path is None else AttemptFolder(path)
        lock = folder.take_lock(patience_s=20)
        carried = self.crew.carry(Task(folder, lock, None))
        return self._be(carried) if isinstance(carried, Forked) else carried

    def carry_lost(self) -> None:
        forked = self.crew.carry_lost()
        if forked is not None:
            self._be(forked)

    def _be(self, forked: Forked) -> NoReturn:
        task: Task | None = forked.task
        while task is not None:
            task.let_go()
            forked.line.send(FREE)
            task = next_task(forked.line)
        os._exit(0)

    def hear(self) -> None:
        """What is said until one more is free, or gone."""
        before = (self.crew.busy, len(self._selector.get_map()))
        while (self.crew.busy, len(self._selector.get_map())) == before:
            for key, _ in self._selector.select():
                self.crew.hear(key.fd)

    def reap(self, pid: int, signalled: int = 0) -> None:
        assert os.waitpid(pid, 0) == (pid, signalled)
        self.crew.ended(pid)


def test_who_waits_for_too_long_is_dismissed(
    tmp_path: Path, selector: selectors.BaseSelector, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand = Hand(tmp_path, selector)
    pid = hand.carry()
    assert hand.crew.busy == 1
    assert hand.crew.dismiss_idle() is None
    hand.hear()
    assert hand.crew.busy == 0
    assert 0 < (hand.crew.dismiss_idle() or 0) <= crew_module.IDLE_S
    assert hand.carry() == pid
    hand.hear()
    monkeypatch.setattr(crew_module, "IDLE_S", 0.0)
    assert hand.crew.dismiss_idle() is None
    hand.reap(pid)
    assert hand.crew.pids == set()


def test_a_runner_carries_so_many_and_no_more(
    tmp_path: Path, selector: selectors.BaseSelector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew_module, "MOST_CARRIED", 2)
    hand = Hand(tmp_path, selector)
    pid = hand.carry()
    hand.hear()
    assert hand.carry() == pid
    hand.hear()
    hand.reap(pid)


def test_who_becomes_free_when_nobody_is_kept_is_dismissed(
    tmp_path: Path, selector: selectors.BaseSelector
) -> None:
    hand = Hand(tmp_path, selector)
    pid = hand.carry()
    hand.crew.keep_nobody()
    assert hand.crew.busy == 1
    hand.hear()
    hand.reap(pid)


def test_what_a_dying_runner_was_given_is_carried_by_another(
    tmp_path: Path, selector: selectors.BaseSelector
) -> None:
    """It is known until it is reaped; the attempt's lock stays taken until the other one has it."""
    hand = Hand(tmp_path, selector)
    pid = hand.carry()
    hand.hear()
    os.kill(pid, signal.SIGSTOP)
    assert hand.carry() == pid
    assert AttemptFolder(tmp_path).is_alive()
    os.kill(pid, signal.SIGKILL)
    hand.hear()
    assert hand.crew.pids == {pid}
    assert AttemptFolder(tmp_path).is_alive()
    hand.carry_lost()
    (other,) = hand.crew.pids - {pid}
    hand.reap(pid, signal.SIGKILL)
    hand.hear()
    assert not AttemptFolder(tmp_path).is_alive()
    hand.crew.close()
    hand.reap(other)


def test_no_runner_holds_the_lock_of_what_another_lost(
    tmp_path: Path, selector: selectors.BaseSelector
) -> None:
    """Whoever looks after that attempt sees when its own runner is gone."""
    for name in ("first", "lost", "other"):
        (tmp_path / name).mkdir()
    hand = Hand(tmp_path / "first", selector)
    pid = hand.carry()
    hand.hear()
    os.kill(pid, signal.SIGSTOP)
    assert hand.carry(tmp_path / "lost") == pid
    os.kill(pid, signal.SIGKILL)
    hand.reap(pid, signal.SIGKILL)
    other = hand.carry(tmp_path / "other")
    hand.hear()
    hand.carry_lost()
    hand.hear()
    assert not AttemptFolder(tmp_path / "lost").is_alive()
    (mine,) = hand.crew.pids - {other}
    hand.crew.close()
    for one in (other, mine):
        hand.reap(one)


def test_what_a_runner_took_before_it_died_is_not_carried_again(
    tmp_path: Path, selector: selectors.BaseSelector
) -> None:
    """Its attempt may have begun; whoever looks after it sees that the lock is free."""
    hand = Hand(tmp_path, selector)
    pid = hand.carry()
    hand.hear()
    assert hand.carry() == pid
    selector.select()  # TAKEN has come
    os.kill(pid, signal.SIGKILL)
    hand.reap(pid, signal.SIGKILL)
    hand.carry_lost()
    assert hand.crew.pids == set()
    assert not AttemptFolder(tmp_path).is_alive()
