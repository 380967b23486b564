"""The warm parent: starts runners, outlives its agent, leaves when nobody needs it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

import tailrace
from tailrace.runner import warm as warm_module
from tailrace.runner.command import send_abort
from tailrace.runner.sockets import connect, listen
from tailrace.runner.warm import RunnerNotStarted, WarmParent
from tests.support.processes import ended
from tests.unit.runner.bench import Bench, kill, until


def parent_of(folder: Path) -> int:
    """The process id that the living parent greets with."""
    connection = connect(folder / "warm.sock")
    with connection, connection.makefile("rb") as greeting:
        return int(json.loads(greeting.readline())["pid"])


def connections(pid: int) -> int:
    """How many agents are connected to this parent."""
    listed = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()]
    ours = [fields for fields in listed if fields[-1].endswith(f".warm.sock.{pid}")]
    return sum(fields[5] == "03" for fields in ours)


async def test_a_runner_is_alive_when_its_start_returns(own: Bench) -> None:
    """Its process id is the one that holds the lock; it is not the agent's child."""
    attempt = own.attempt("sleep 1000", grace_s=0.1)
    pid = await own.start(attempt)
    assert attempt.folder.is_alive()
    assert pid not in (os.getpid(), parent_of(own.folder))
    assert os.getsid(pid) == pid or await until(lambda: os.getsid(pid) == pid)
    await until(lambda: attempt.begun)
    assert attempt.folder.signed_pid() == pid
    assert await send_abort(attempt.folder, "kim")
    await own.end(attempt)


async def test_twenty_starts_at_once(own: Bench) -> None:
    """All run, each with its own output."""
    attempts = [own.attempt(f"echo {i}; exit {i}") for i in range(20)]
    await asyncio.gather(*(own.start(attempt) for attempt in attempts))
    for i, attempt in enumerate(attempts):
        finished = await own.end(attempt)
        assert finished.outcome.exit_code == i
        assert attempt.stdout == f"{i}\n".encode()


async def test_an_attempt_is_carried_once(own: Bench) -> None:
    """A second start is refused with its cause, while the runner lives; after its end the record stays as it is."""
    attempt = own.attempt("echo ready; sleep 1000", grace_s=0.1)
    await own.start(attempt)
    await until(lambda: attempt.stdout == b"ready\n")
    with pytest.raises(RunnerNotStarted, match="a living runner carries it"):
        await own.start(attempt)
    assert await send_abort(attempt.folder, "kim")
    await own.end(attempt)
    facts = attempt.facts
    await own.start(attempt)
    await until(lambda: not attempt.folder.is_alive())
    assert attempt.facts == facts
    assert "was begun before" in attempt.folder.errors.read_text()


async def test_a_folder_that_does_not_exist(own: Bench) -> None:
    """The cause is told, and the parent serves on."""
    attempt = own.attempt("true")
    attempt.folder.remove()
    with pytest.raises(RunnerNotStarted, match="No such file"):
        await own.start(attempt)
    await own.carry(own.attempt("true"))


async def test_runners_go_on_when_the_agent_is_gone(own: Bench, tmp_path: Path) -> None:
    """The connection breaks; the runner ends its job; another agent finds the same parent; then the parent leaves."""
    bench, warm = own, own.warm
    go = tmp_path / "go"
    attempt = bench.attempt(f"until [ -e {go} ]; do sleep 0.01; done; echo went on")
    await bench.start(attempt)
    await until(lambda: attempt.begun)
    pid = parent_of(tmp_path)
    await warm.close(leave=False)
    other = WarmParent(tmp_path)
    await other.ensure()
    assert parent_of(tmp_path) == pid
    assert connections(pid) > 0
    assert (await Bench(tmp_path, other).carry(bench.attempt("true"))).outcome.state == "passed"
    await other.close(leave=False)
    await until(lambda: connections(pid) == 0)
    assert parent_of(tmp_path) == pid
    go.touch()
    finished = await bench.end(attempt)
    assert finished.outcome.state == "passed"
    assert attempt.stdout == b"went on\n"
    await until(lambda: ended(pid))
    assert not (tmp_path / "warm.sock").exists()


async def test_asked_to_leave_it_is_gone_at_once(tmp_path: Path) -> None:
    """Without runners, close returns when the process has ended."""
    warm = WarmParent(tmp_path)
    await warm.ensure()
    pid = parent_of(tmp_path)
    await warm.close(leave=True)
    assert ended(pid)
    assert not (tmp_path / "warm.sock").exists()


async def test_a_parent_whose_folder_is_gone_makes_none(tmp_path: Path) -> None:
    """Whoever removes an agent's folder is not disturbed by the parent that ends meanwhile."""
    warm = WarmParent(tmp_path)
    await warm.ensure()
    pid = parent_of(tmp_path)
    for entry in tmp_path.iterdir():
        entry.unlink()
    await warm.close(leave=False)
    await until(lambda: ended(pid))
    assert list(tmp_path.iterdir()) == []


async def test_asked_to_leave_with_runners_it_makes_room(own: Bench, tmp_path: Path) -> None:
    """The next agent gets a new parent; the old one ends with its last runner."""
    bench, warm = own, own.warm
    attempt = bench.attempt("sleep 1000", grace_s=0.1)
    await bench.start(attempt)
    old = parent_of(tmp_path)
    await warm.close(leave=True)
    await warm.ensure()
    new = parent_of(tmp_path)
    assert new != old
    await until(lambda: attempt.begun)
    assert await send_abort(attempt.folder, "kim")
    await bench.end(attempt)
    await until(lambda: ended(old))
    assert parent_of(tmp_path) == new
    await bench.carry(bench.attempt("true"))


async def test_a_parent_that_was_killed_is_replaced(own: Bench) -> None:
    """Its runners go on; the next start finds a new parent."""
    attempt = own.attempt("echo ready; sleep 1000", grace_s=0.1)
    await own.start(attempt)
    await until(lambda: attempt.stdout == b"ready\n")
    old = parent_of(own.folder)
    kill(old)
    assert (await own.carry(own.attempt("true"))).outcome.state == "passed"
    assert parent_of(own.folder) != old
    assert attempt.folder.is_alive()
    assert await send_abort(attempt.folder, "kim")
    assert (await own.end(attempt)).outcome.state == "aborted"


async def test_another_versions_parent_is_left_alone(tmp_path: Path) -> None:
    """A new agent starts a new parent, which takes the socket's place; the old parent keeps what it has."""
    greeted = asyncio.Event()

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'{"version": "0.0.0-old", "pid": 1}\n')
        greeted.set()

    old = await asyncio.start_unix_server(greet, sock=listen(tmp_path / "warm.sock"))
    async with old:
        warm = WarmParent(tmp_path)
        await warm.ensure()
        assert greeted.is_set()
        assert parent_of(tmp_path) != 1
        bench = Bench(tmp_path, warm)
        assert (await bench.carry(bench.attempt("true"))).outcome.state == "passed"
        await warm.close(leave=True)


async def test_a_parent_that_cannot_start_says_why(tmp_path: Path) -> None:
    """The error holds the last line that it printed."""
    (tmp_path / "warm.lock").mkdir()
    with pytest.raises(RunnerNotStarted, match="IsADirectoryError"):
        await WarmParent(tmp_path).ensure()


async def test_a_new_agent_of_this_version_speaks_to_the_same_parent(own: Bench) -> None:
    """One that was there before is found, and signals of a terminal do not end it."""
    await own.warm.ensure()
    first = parent_of(own.folder)
    other = WarmParent(own.folder)
    await other.ensure()
    await other.close(leave=False)
    assert parent_of(own.folder) == first
    os.kill(first, signal.SIGHUP)
    os.kill(first, signal.SIGINT)
    await own.carry(own.attempt("true"))
    assert parent_of(own.folder) == first


async def test_a_newer_edition_may_be_on_disk(own: Bench) -> None:
    """An upgrade came while the agent runs: the parent that it starts then is of the new code, and is taken."""
    await own.warm.ensure()
    first = parent_of(own.folder)
    stale = WarmParent(own.folder)
    stale._editions = {"0.0.0-old"}  # pyright: ignore[reportPrivateUsage]
    await stale.ensure()
    second = parent_of(own.folder)
    assert second != first, "one of another edition that it did not start is left alone"
    bench = Bench(own.folder, stale)
    assert (await bench.carry(bench.attempt("true"))).outcome.state == "passed"
    assert parent_of(own.folder) == second
    await stale.close(leave=True)


async def test_a_parent_that_is_killed_while_it_starts_is_started_again(tmp_path: Path) -> None:
    """It has done nothing yet: the job need not fail for it."""
    warm = WarmParent(tmp_path)
    ensuring = asyncio.create_task(warm.ensure())
    killed = await until(lambda: warm._own_pid)  # pyright: ignore[reportPrivateUsage]
    assert killed is not None
    kill(killed)
    await ensuring
    assert parent_of(tmp_path) != killed
    await warm.close(leave=True)


_CODE = str(Path(tailrace.__file__).parents[1].absolute())


class Unit:
    """A warm parent as systemd starts it, with a socket in systemd's place."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.heard.setblocking(False)
        self.heard.bind(str(folder / "notify"))
        self.process = subprocess.Popen(
            (sys.executable, "-P", "-m", "tailrace.runner.warm", str(folder / "agent"), "--service"),
            env={**os.environ, "NOTIFY_SOCKET": str(folder / "notify"), "PYTHONPATH": _CODE},
        )

    async def says(self) -> str:
        """The next thing that it tells systemd."""

        def word() -> str | None:
            try:
                return self.heard.recv(200).decode()
            except BlockingIOError:
                return None

        return str(await until(word))

    def ends(self) -> bool:
        return self.process.poll() is not None


@pytest.fixture
async def unit(tmp_path: Path) -> AsyncIterator[Unit]:
    unit = Unit(tmp_path)
    assert await unit.says() == f"MAINPID={unit.process.pid}\nREADY=1"
    yield unit
    with suppress(OSError):
        os.kill(
            parent_of(tmp_path / "agent"), signal.SIGTERM
        )  # it tells its runners, and the parent before it
    unit.process.terminate()
    try:
        unit.process.wait(20)
    except subprocess.TimeoutExpired:
        unit.process.kill()
        unit.process.wait()
    unit.heard.close()


async def test_as_a_service_it_stays_without_agents(unit: Unit) -> None:
    """An agent that comes finds it, and starts none of its own; when the agent is gone it is there for the next."""
    for _ in range(2):
        warm = WarmParent(unit.folder / "agent", service=True)
        bench = Bench(unit.folder / "agent", warm)
        assert (await bench.carry(bench.attempt("true"))).outcome.state == "passed"
        await warm.close(leave=True)
        assert parent_of(unit.folder / "agent") == unit.process.pid
    assert not unit.ends()


async def test_a_service_that_is_stopped_lets_runners_record_their_end(unit: Unit) -> None:
    """They are told, and it waits for them; who comes then finds nobody."""
    bench = Bench(unit.folder / "agent", WarmParent(unit.folder / "agent", service=True))
    attempt = bench.attempt(
        "trap 'sleep 0.2; echo tidied; exit' TERM; echo ready; while :; do sleep 0.01; done"
    )
    await bench.start(attempt)
    await until(lambda: attempt.stdout == b"ready\n")
    unit.process.terminate()
    assert await unit.says() == "STOPPING=1"
    await until(unit.ends)
    assert unit.process.returncode == 0
    assert attempt.finished is not None, "the last runner had ended before"
    assert attempt.finished.outcome.reason == "agent_lost"
    assert attempt.stdout == b"ready\ntidied\n"


async def test_another_edition_of_a_service_takes_the_place_of_the_one_before(unit: Unit) -> None:
    """It is started in the same unit; the one before leaves with its last runner, and hears when the unit is stopped."""
    folder = unit.folder / "agent"
    old = WarmParent(folder, service=True)
    bench = Bench(folder, old)
    attempts = [bench.attempt("echo ready; sleep 1000", grace_s=0.1) for _ in range(2)]
    for attempt in attempts:
        await bench.start(attempt)
        await until(lambda attempt=attempt: attempt.stdout == b"ready\n")
    await old.close(leave=False)
    new = WarmParent(folder, service=True)
    new._editions = {"0.0.0-new"}  # pyright: ignore[reportPrivateUsage]
    await new.ensure()
    second = parent_of(folder)
    assert second != unit.process.pid
    assert await unit.says() == f"MAINPID={second}\nREADY=1"
    later = Bench(folder, new)
    assert (await later.carry(later.attempt("true"))).outcome.state == "passed"
    assert not unit.ends(), "it has runners"
    assert await send_abort(attempts[0].folder, "kim")
    await bench.end(attempts[0])
    os.kill(second, signal.SIGTERM)
    await until(unit.ends)
    assert attempts[1].finished is not None
    assert attempts[1].finished.outcome.reason == "agent_lost"
    await until(lambda: ended(second))


async def test_an_agent_whose_service_is_missing_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm_module, "START_PATIENCE_S", 0.1)
    with pytest.raises(RunnerNotStarted, match="look after the unit that runs it"):
        await WarmParent(tmp_path, service=True).ensure()


async def test_what_a_parent_left_that_was_killed_in_its_rehearsal_goes(tmp_path: Path) -> None:
    """The stage lies in the agent's folder, not among the machine's temporary files."""
    (tmp_path / ".rehearsal-left" / "attempts").mkdir(parents=True)
    warm = WarmParent(tmp_path)
    await warm.ensure()
    assert not list(tmp_path.glob(".rehearsal-*"))
    await warm.close(leave=True)
