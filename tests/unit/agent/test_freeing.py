"""What the server holds for certain needs no room here; what cannot be sent waits, and people hear why."""

from __future__ import annotations

import os
import signal
import zlib
from pathlib import Path

from tailrace.domain.outcome import Reason
from tailrace.domain.spans import Stream
from tailrace.domain.states import AttemptState
from tailrace.runner.freed import read_mark
from tests.support.disk import fill, relieve, small_disk
from tests.unit.agent.bench import Bench
from tests.unit.agent.peer import Held, Peer, lease_of, until

MIB = 1 << 20


def noisy(gate: Path, megabytes: int = 4) -> str:
    """A script that writes noise that repeats, waits, and writes a last word."""
    write = f"seq -f '%063.0f' {megabytes * 16384}"
    return f"{write}; while [ ! -e {gate} ]; do sleep 0.01; done; echo the end"


def noise(megabytes: int = 4) -> bytes:
    return b"".join(b"%063d\n" % n for n in range(1, megabytes * 16384 + 1))


async def begun(bench: Bench, peer: Peer, gate: Path) -> Held:
    """An attempt of whose output all but the last MiB is freed, while it runs."""
    peer.durable = True
    held = await peer.lease(lease_of(1, noisy(gate)))
    folder = bench.folder_of(held.lease)
    await until(lambda: read_mark(folder.freed).offset >= 3 * MIB, "the spool to be freed")
    return held


async def test_a_spool_is_freed_while_its_job_runs(bench: Bench, peer: Peer, tmp_path: Path) -> None:
    """What is durable takes no room; the log is whole all the same."""
    gate = tmp_path / "gate"
    held = await begun(bench, peer, gate)
    folder = bench.folder_of(held.lease)
    await until(lambda: folder.spool.stat().st_blocks * 512 <= 2 * MIB, "the disk to have its room again")
    assert held.finished is None
    gate.touch()
    await until(lambda: held.complete, "the attempt to be complete")
    assert held.output(Stream.STDOUT) == noise() + b"the end\n"
    (closing,) = peer.closings
    assert (closing.size, closing.crc32) == (len(held.data), zlib.crc32(held.data))
    assert closing.freed >= 3 * MIB
    await bench.gone(held.lease)


async def test_a_runner_that_dies_after_freeing_ends_with_the_right_checksum(
    bench: Bench, peer: Peer, tmp_path: Path
) -> None:
    """It is of all that was written, though most of it is gone."""
    held = await begun(bench, peer, tmp_path / "gate")
    pid = bench.folder_of(held.lease).signed_pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await until(lambda: held.complete, "the attempt to be complete")
    finished = held.finished
    assert finished is not None
    assert finished.outcome.reason == Reason.RUNNER_DIED
    assert (finished.size, finished.crc32) == (len(held.data), zlib.crc32(held.data))
    assert not peer.troubles


async def test_a_new_agent_goes_on_with_a_spool_that_was_freed(
    bench: Bench, peer: Peer, tmp_path: Path
) -> None:
    """It knows what is not there any more."""
    gate = tmp_path / "gate"
    held = await begun(bench, peer, gate)
    await bench.stop()
    gate.touch()
    await bench.start()
    await until(lambda: held.complete, "the attempt to be complete")
    assert held.output(Stream.STDOUT) == noise() + b"the end\n"
    assert not peer.gaps


async def test_a_server_that_lost_what_it_had_called_durable_is_told_once(
    bench: Bench, peer: Peer, tmp_path: Path
) -> None:
    """What was freed cannot be sent: the rest comes, at its place, and people are told; nothing goes round in circles."""
    gate = tmp_path / "gate"
    held = await begun(bench, peer, gate)
    await until(lambda: held.output(Stream.STDOUT) == noise(), "all output")
    whole = bytes(held.data)
    del held.data[1000:]
    held.spans = [span for span in held.spans if span.offset < 1000]
    peer.cut()
    gate.touch()
    await until(lambda: held.complete, "the attempt to be complete")
    assert [stop % MIB for _, stop in peer.gaps] == [0]
    ((start, stop),) = peer.gaps
    assert start == 1000
    assert held.data[stop : len(whole)] == whole[stop:]
    assert b"the end\n" in held.data[len(whole) :]
    assert held.finished is not None
    assert held.finished.size == len(held.data)
    (trouble,) = peer.troubles
    assert "lost bytes of its log that it had called durable" in trouble.message


async def test_what_is_refused_is_kept_and_sent_again(bench: Bench, peer: Peer, tmp_path: Path) -> None:
    """A server without room: nothing is lost, nothing is sent before its time, and the connection lives."""
    refused: list[int] = []

    def refusing(held: bytes) -> float | None:
        if len(held) < MIB or len(refused) >= 30:
            return None
        refused.append(len(held))
        return 0.2

    peer.refusing = refusing
    held = await peer.lease(lease_of(1, "seq -f '%063.0f' 65536"))
    await until(lambda: held.complete, "the attempt to be complete")
    assert len(refused) == 30
    assert held.output(Stream.STDOUT) == noise()
    assert len(peer.hellos) == 1
    assert held.chunks < 30 * 20


async def test_a_job_on_a_full_disk_waits_and_says_so(peer: Peer, tmp_path: Path) -> None:
    """The server can show why nothing comes; with room again everything goes on, and not a byte is lost."""
    gate = tmp_path / "gate"
    peer.refusing = lambda _held: None if gate.exists() else 0.1
    with small_disk(4 * MIB) as disk:
        async with Bench(disk / "agent", peer):
            held = await peer.lease(lease_of(1, "seq -f '%063.0f' 65536"))
            why = await until(lambda: peer.stalls and peer.stalls[-1], "the word that it stands still")
            assert f"the disk of {os.uname().nodename} is full" in (why or "")
            assert held.finished is None
            gate.touch()  # what the server takes makes room here
            peer.durable = True
            await until(lambda: held.complete, "the attempt to be complete")
            assert peer.stalls[-1] is None
            assert held.output(Stream.STDOUT) == noise()
            assert held.finished is not None
            assert held.finished.outcome.state is AttemptState.PASSED


async def test_a_disk_that_fills_while_the_server_is_away(peer: Peer, tmp_path: Path) -> None:
    """The job waits, and goes on when the server is back and somebody has made room; the facts are not lost either."""
    with small_disk(8 * MIB) as disk:
        async with Bench(disk / "agent", peer) as bench:
            gate = tmp_path / "gate"
            script = f"echo begun; while [ ! -e {gate} ]; do sleep 0.01; done; seq -f '%063.0f' 65536"
            held = await peer.lease(lease_of(1, script))
            await until(lambda: "step_began" in held.kinds, "the step to begin")
            await peer.close()
            fill(disk)
            gate.touch()
            await until(lambda: bench.supervisor.stalled, "the job to stand still")
            await peer.open()
            await until(lambda: peer.stalls and peer.stalls[-1], "the word that it stands still")
            relieve(disk)
            await until(lambda: held.complete, "the attempt to be complete")
            assert peer.stalls[-1] is None
            assert held.output(Stream.STDOUT) == b"begun\n" + noise()
