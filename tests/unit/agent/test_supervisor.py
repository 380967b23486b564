from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from tailrace.domain.facts import Finished
from tailrace.domain.lease import Lease
from tailrace.domain.outcome import Reason
from tailrace.domain.plan import JobSpec, RunStep
from tailrace.domain.plan.model import LimitsSpec
from tailrace.domain.spans import Stream
from tailrace.domain.states import AttemptState
from tailrace.domain.wire import Leased
from tailrace.runner.folder import AttemptFolder
from tailrace.runner.recover import finish_dead
from tests.unit.agent.bench import Bench
from tests.unit.agent.peer import Held, Peer, lease_of, until


async def completed(held: Held) -> Finished:
    await until(lambda: held.complete, f"attempt {held.lease.attempt} to be complete")
    finished = held.finished
    assert finished is not None
    assert finished.size == len(held.data)
    return finished


def gated(gate: Path, before: str = "echo begun", after: str = "echo ended") -> str:
    """A script that waits until the gate opens."""
    return f"{before}; while [ ! -e {gate} ]; do sleep 0.01; done; {after}"


async def test_a_lease_becomes_facts_and_exact_bytes(bench: Bench, peer: Peer) -> None:
    """In order, once each, with the streams told apart; then the agent forgets the attempt."""
    held = await peer.lease(lease_of(1, "printf 'one\\xff'; printf two >&2", "printf three"))
    finished = await completed(held)
    assert finished.outcome.state is AttemptState.PASSED
    assert held.kinds == ["started", "step_began", "step_ended", "step_began", "step_ended", "finished"]
    assert held.said == len(held.facts)
    assert held.output(Stream.STDOUT) == b"one\xffthree"
    assert held.output(Stream.STDERR) == b"two"
    await bench.gone(held.lease)


async def test_free_places_are_told_whenever_they_change(bench: Bench, peer: Peer, tmp_path: Path) -> None:
    """A place is taken by a lease, and free again when its runner has finished."""
    await until(lambda: peer.free == [2], "the first word on places")
    first = await peer.lease(lease_of(1, gated(tmp_path / "first")))
    second = await peer.lease(lease_of(2, gated(tmp_path / "second")))
    await until(lambda: peer.free == [2, 1, 0], "both places to be taken")
    (tmp_path / "first").touch()
    await completed(first)
    await until(lambda: peer.free == [2, 1, 0, 1], "a place to be free")
    (tmp_path / "second").touch()
    await completed(second)
    await until(lambda: peer.free == [2, 1, 0, 1, 2], "both places to be free")


async def test_two_attempts_run_at_once(bench: Bench, peer: Peer, tmp_path: Path) -> None:
    """Each waits for the other's file: one after the other would never end."""
    a, b = tmp_path / "a", tmp_path / "b"
    first = await peer.lease(lease_of(1, gated(b, before=f"touch {a}", after="echo one")))
    second = await peer.lease(lease_of(2, gated(a, before=f"touch {b}", after="echo two")))
    await completed(first)
    await completed(second)
    assert (first.output(Stream.STDOUT), second.output(Stream.STDOUT)) == (b"one\n", b"two\n")


async def test_a_lease_too_many_waits_for_a_place(bench: Bench, peer: Peer, tmp_path: Path) -> None:
    """A server that has not heard yet that a place is taken may send one: the capacity holds all the same."""
    gate = tmp_path / "gate"
    running = [await peer.lease(lease_of(number, gated(gate))) for number in (1, 2)]
    third = await peer.lease(lease_of(3, f"test -e {gate}"))
    await until(lambda: all(held.kinds for held in running), "two to have begun")
    assert bench.folder_of(third.lease).path.exists()
    assert not third.kinds
    gate.touch()
    assert (await completed(third)).outcome.state is AttemptState.PASSED


async def test_a_lease_that_comes_twice_is_started_once(bench: Bench, peer: Peer, tmp_path: Path) -> None:
    """While it runs, and while it is being started."""
    gate = tmp_path / "gate"
    held = await peer.lease(lease_of(1, gated(gate, before=f"echo x >> {tmp_path}/starts")))
    await peer.say(Leased(lease=held.lease))
    await until(lambda: "step_began" in held.kinds, "the step to begin")
    await peer.say(Leased(lease=held.lease))
    gate.touch()
    assert (await completed(held)).outcome.state is AttemptState.PASSED
    assert (tmp_path / "starts").read_text() == "x\n"
    assert held.kinds.count("started") == 1


async def test_a_connection_cut_in_mid_upload_is_resumed(bench: Bench, peer: Peer) -> None:
    """From where the server stands: every byte once."""
    peer.cut_at = 3_000_000
    lines = 120_000
    held = await peer.lease(lease_of(1, f"seq -f '%0100.0f' {lines}"))
    await completed(held)
    assert peer.cut_at is None
    assert [named.attempt for named in peer.hellos[-1].holds] == [1]
    assert held.output(Stream.STDOUT) == b"".join(b"%0100d\n" % n for n in range(1, lines + 1))


async def test_facts_are_said_again_until_they_are_noted(bench: Bench, peer: Peer) -> None:
    """After each reconnect; the folder stays until then."""
    peer.refuse_facts = True
    held = await peer.lease(lease_of(1, "true"))
    await until(lambda: held.said == 4 and held.closed, "all to be said")
    assert bench.folder_of(held.lease).path.exists()
    peer.refuse_facts = False
    peer.cut()
    await completed(held)
    assert held.said == 8
    await bench.gone(held.lease)


async def test_output_is_seen_while_the_job_runs(bench: Bench, peer: Peer, tmp_path: Path) -> None:
    """A watched log arrives piece by piece, also without a newline."""
    await peer.watch(1001, True)
    gate = tmp_path / "gate"
    held = await peer.lease(
        lease_of(1, gated(gate, before="printf one; sleep 0.2; printf two", after="printf 3"))
    )
    await until(lambda: held.output(Stream.STDOUT) == b"onetwo", "the output to be seen")
    assert held.finished is None
    gate.touch()
    await completed(held)


async def test_an_abort_names_its_cause(bench: Bench, peer: Peer) -> None:
    """The runner ends, its outcome says by whom."""
    held = await peer.lease(lease_of(1, "sleep 1000"))
    await until(lambda: "step_began" in held.kinds, "the step to begin")
    await peer.abort(1, "alice")
    outcome = (await completed(held)).outcome
    assert (outcome.state, outcome.reason) == (AttemptState.ABORTED, Reason.ABORTED_BY)
    assert outcome.detail == "aborted by alice"


async def test_an_abort_right_after_the_lease_is_not_lost(bench: Bench, peer: Peer) -> None:
    """The runner does not listen yet then."""
    held = await peer.lease(lease_of(1, "sleep 1000"))
    await peer.abort(1, "alice")
    assert (await completed(held)).outcome.state is AttemptState.ABORTED


def _with_last(lease: Lease, *scripts: str) -> Lease:
    last = tuple(RunStep(name="last", run=script) for script in scripts)
    return lease.model_copy(update={"job": lease.job.model_copy(update={"finally_steps": last})})


async def test_an_abort_told_again_is_not_another(bench: Bench, peer: Peer, tmp_path: Path) -> None:
    """Servers tell orders again at any time, also to a new agent, which has told none: `finally` goes on."""
    gate = tmp_path / "gate"
    held = await peer.lease(_with_last(lease_of(1, "echo ready; sleep 1000"), gated(gate)))
    await until(lambda: held.output(Stream.STDOUT) == b"ready\n", "the step to begin")
    await peer.abort(1, "alice")
    await until(lambda: held.output(Stream.STDOUT) == b"ready\nbegun\n", "the last step to begin")
    await peer.abort(1, "alice")
    await bench.stop()
    await bench.start()
    await peer.abort(1, "alice")
    await completed(await peer.lease(lease_of(2, "sleep 0.1")))
    gate.touch()
    assert (await completed(held)).outcome.detail == "aborted by alice"
    assert held.output(Stream.STDOUT) == b"ready\nbegun\nended\n"


async def test_a_second_abort_reaches_the_runner(bench: Bench, peer: Peer) -> None:
    """It ends the steps of `finally`."""
    held = await peer.lease(_with_last(lease_of(1, "sleep 1000"), "echo last; sleep 1000", "echo never"))
    await until(lambda: "step_began" in held.kinds, "the step to begin")
    await peer.abort(1, "alice")
    await until(lambda: held.output(Stream.STDOUT) == b"last\n", "the last step to begin")
    await peer.abort(1, "bob", times=2)
    assert (await completed(held)).outcome.detail == "aborted by alice"
    assert held.output(Stream.STDOUT) == b"last\n"


async def test_what_waits_for_a_place_is_aborted_without_having_begun(
    bench: Bench, peer: Peer, tmp_path: Path
) -> None:
    """And the server hears of it at once."""
    for number in (1, 2):
        await peer.lease(lease_of(number, gated(tmp_path / "gate")))
    third = await peer.lease(lease_of(3, f"touch {tmp_path}/ran"))
    await peer.abort(3, "alice")
    outcome = (await completed(third)).outcome
    assert (outcome.state, outcome.reason) == (AttemptState.ABORTED, Reason.ABORTED_BY)
    assert third.kinds == ["started", "step_ended", "finished"]
    assert not (tmp_path / "ran").exists()


async def test_a_dropped_attempt_is_stopped_and_forgotten(bench: Bench, peer: Peer) -> None:
    """Its runner ends, its folder goes, its place is free, and nothing more is said of it."""
    held = await peer.lease(lease_of(1, "echo begun; sleep 1000"))
    await until(lambda: "step_began" in held.kinds, "the step to begin")
    await peer.drop(1, "its lease ran out")
    said = held.said
    await bench.gone(held.lease)
    await until(lambda: peer.free[-1] == 2, "the place to be free")
    assert held.said == said
    assert held.finished is None


async def test_a_dropped_attempt_clears_nothing_up(bench: Bench, peer: Peer, tmp_path: Path) -> None:
    """The next attempt may run already, elsewhere: neither `finally` nor a step that ignores SIGTERM goes on beside it."""
    deaf = RunStep(name="deaf", run="trap '' TERM; echo begun; while :; do sleep 0.05; done")
    last = RunStep(name="last", run=f"touch {tmp_path}/last; sleep 1000")
    job = JobSpec(name="job", checkout=False, steps=(deaf,), finally_steps=(last,))
    held = await peer.lease(lease_of(1, job=job, grace_s=1000.0))
    await until(lambda: b"begun\n" in held.data, "the step to begin")
    await peer.drop(1, "its lease ran out")
    await bench.gone(held.lease)
    assert not (tmp_path / "last").exists()


async def test_what_waits_for_a_place_is_dropped_at_once(bench: Bench, peer: Peer, tmp_path: Path) -> None:
    """It never runs."""
    gate = tmp_path / "gate"
    running = [await peer.lease(lease_of(number, gated(gate))) for number in (1, 2)]
    third = await peer.lease(lease_of(3, f"touch {tmp_path}/ran"))
    await peer.drop(3, "another agent has it")
    await bench.gone(third.lease)
    gate.touch()
    for held in running:
        await completed(held)
    assert not (tmp_path / "ran").exists()


async def test_a_dead_runner_is_noticed(bench: Bench, peer: Peer) -> None:
    """kill -9 of a runner: the server hears how it ended, its output up to there is whole, what it left running is killed."""
    held = await peer.lease(lease_of(1, "echo $$; exec sleep 1000"))
    await until(lambda: held.output(Stream.STDOUT).endswith(b"\n"), "the process's id")
    pid = bench.folder_of(held.lease).signed_pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    outcome = (await completed(held)).outcome
    assert (outcome.state, outcome.reason) == (AttemptState.FAILED, Reason.RUNNER_DIED)
    with pytest.raises(ProcessLookupError):
        os.kill(int(held.output(Stream.STDOUT)), 0)


async def test_lost_wakes_cost_latency_only(bench: Bench, peer: Peer, tmp_path: Path) -> None:
    """Nobody listens on the socket that runners call: the slow look finds all."""
    (bench.folder / "wake.sock").unlink()
    held = await peer.lease(lease_of(1, "echo one", "echo two"))
    await completed(held)
    assert held.output(Stream.STDOUT) == b"one\ntwo\n"


async def test_a_new_agent_takes_up_living_runners(bench: Bench, peer: Peer, tmp_path: Path) -> None:
    """Their places are taken, their output goes on where it was."""
    gate = tmp_path / "gate"
    held = await peer.lease(lease_of(1, gated(gate)))
    await until(lambda: held.output(Stream.STDOUT) == b"begun\n", "some output")
    await bench.stop()
    free = len(peer.free)
    await bench.start()
    await until(lambda: peer.free[free:] == [1], "one place to be taken")
    gate.touch()
    assert (await completed(held)).outcome.state is AttemptState.PASSED
    assert held.output(Stream.STDOUT) == b"begun\nended\n"
    assert held.kinds.count("started") == 1


async def test_a_new_agent_finishes_what_died_meanwhile(bench: Bench, peer: Peer) -> None:
    """The runner died while no agent was there."""
    held = await peer.lease(lease_of(1, "sleep 1000"))
    await until(lambda: "step_began" in held.kinds, "the step to begin")
    await bench.stop()
    folder = bench.folder_of(held.lease)
    pid = folder.signed_pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await until(lambda: not folder.is_alive(), "the runner's end")
    await bench.start()
    assert (await completed(held)).outcome.reason == Reason.RUNNER_DIED


async def test_a_folder_that_was_never_started_starts_when_the_server_says_so(
    bench: Bench, peer: Peer, tmp_path: Path
) -> None:
    """An agent that was killed between lease and start; what the server gave to others meanwhile is not run, but has its place
    until the server says so."""
    await bench.stop()
    ours, lost = lease_of(1, "echo one"), lease_of(2, f"touch {tmp_path}/ran")
    held = peer.attempts[1] = Held(ours)
    for lease in (ours, lost):
        AttemptFolder.create(bench.folder / "attempts", lease)
    free = len(peer.free)
    await bench.start()
    await completed(held)
    assert held.output(Stream.STDOUT) == b"one\n"
    await bench.gone(lost)
    assert not (tmp_path / "ran").exists()
    assert peer.free[free] == 0


async def test_a_folder_stays_while_its_runner_lives(bench: Bench, peer: Peer) -> None:
    """A runner has things to clean up after its last word."""
    await bench.stop()
    held = peer.attempts[1] = Held(lease_of(1, "true"))
    folder = AttemptFolder.create(bench.folder / "attempts", held.lease)
    finish_dead(folder, 1)
    with folder.take_lock():
        await bench.start()
        await completed(held)
        other = await peer.lease(lease_of(2, "true"))
        await completed(other)
        await bench.gone(other.lease)
        assert folder.path.exists()
    await bench.gone(held.lease)


async def test_an_attempt_of_another_life_gives_way(bench: Bench, peer: Peer, tmp_path: Path) -> None:
    """A server whose database began anew gives ids again; the cookie tells the attempts apart."""
    old = await peer.lease(lease_of(1, "sleep 1000"))
    await until(lambda: "step_began" in old.kinds, "the step to begin")
    new = await peer.lease(lease_of(1, "echo new", cookie="f" * 32, log=77))
    await completed(new)
    assert new.output(Stream.STDOUT) == b"new\n"
    await bench.gone(old.lease)


async def test_a_log_that_is_closed_already_is_not_sent_again(bench: Bench, peer: Peer) -> None:
    """The answer to its closing was lost with the connection."""
    await bench.stop()
    held = peer.attempts[1] = Held(lease_of(1, "true"), closed=True)
    finish_dead(AttemptFolder.create(bench.folder / "attempts", held.lease), 1)
    await bench.start()
    await bench.gone(held.lease)
    assert held.finished is not None
    assert held.chunks == 0


async def test_a_runner_that_cannot_be_started_is_reported(
    bench: Bench, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the attempt's outcome, with the cause, and as trouble for the people who run the agent."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
    held = await peer.lease(lease_of(1, "true"))
    outcome = (await completed(held)).outcome
    assert (outcome.state, outcome.reason) == (AttemptState.FAILED, Reason.RUNNER_DIED)
    assert "did not start" in (outcome.detail or "")
    assert [trouble.attempt for trouble in peer.troubles] == [1]


async def test_an_attempt_that_gets_no_folder_is_reported(bench: Bench, peer: Peer) -> None:
    """Then there is no journal: the agent says so all the same."""
    attempts = bench.folder / "attempts"
    attempts.write_text("no folder")
    held = await peer.lease(lease_of(1, "true"))
    outcome = (await completed(held)).outcome
    attempts.unlink()
    assert (outcome.state, outcome.reason) == (AttemptState.FAILED, Reason.SETUP_FAILED)
    await until(lambda: peer.free[-1] == 2, "the place to be free")
    assert [trouble.attempt for trouble in peer.troubles] == [1]


async def test_a_folder_that_cannot_be_read_stops_nobody(bench: Bench, peer: Peer) -> None:
    """It is left for people to look at, and they are told."""
    await bench.stop()
    broken = bench.folder / "attempts" / "9-abc"
    broken.mkdir(parents=True)
    (broken / "lease.json").write_text("{")
    await bench.start()
    await until(lambda: peer.troubles, "the trouble to be told")
    assert "9-abc" in peer.troubles[0].message
    assert await completed(await peer.lease(lease_of(1, "true")))
    assert broken.exists()


async def test_a_spool_that_the_disk_changed_is_sent_twice_and_no_more(bench: Bench, peer: Peer) -> None:
    """The server finds the checksum wrong and asks for all again; then the agent says what its disk has, and that it is damaged."""
    await bench.stop()
    held = peer.attempts[1] = Held(lease_of(1, "true"))
    folder = AttemptFolder.create(bench.folder / "attempts", held.lease)
    size = finish_dead(folder, 1).size
    folder.spool.write_bytes(b"?" * size)
    await bench.start()
    await until(lambda: held.closed, "the log to be closed")
    assert held.data == b"?" * size
    assert held.mismatches == 1
    await until(lambda: peer.troubles, "the trouble to be told")
    assert "damaged" in peer.troubles[0].message


async def test_the_agents_own_limits_hold_where_they_are_lower(tmp_path: Path, peer: Peer) -> None:
    """For a job without limits too; the lease that the runner reads has them."""
    most = LimitsSpec(memory=64 << 20, processes=100)
    job = JobSpec(name="job", checkout=False, limits=LimitsSpec(memory=32 << 20, cpu=2))
    async with Bench(tmp_path / "agent", peer, limits=most) as bench:
        gate = tmp_path / "gate"
        steps = (RunStep(name="wait", run=gated(gate)),)
        held = await peer.lease(lease_of(1, job=job.model_copy(update={"steps": steps})))
        await until(lambda: held.output(Stream.STDOUT), "the job to begin")
        limits = bench.folder_of(held.lease).lease().job.limits
        assert limits == LimitsSpec(memory=32 << 20, processes=100, cpu=2)
        gate.touch()
        await completed(held)
