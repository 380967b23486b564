"""What a step's processes write is in the log, byte for byte, as soon as it was written."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import sys
import zlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tailrace.domain.spans import Stream
from tailrace.runner.folder import AttemptFolder
from tailrace.runner.masking import Masker
from tailrace.runner.output import Output, Pipe
from tailrace.runner.spool import SpoolWriter
from tailrace.runner.wake import Wake
from tests.support.disk import small_disk
from tests.support.pace import at_some_pace
from tests.unit.runner.bench import Bench, Carried, until

PYTHON = sys.executable


def python(code: str) -> str:
    """A script that runs Python code."""
    return f"exec {PYTHON} -I - <<'END'\nimport os, sys, time\n{code}\nEND\n"


_WRITES_UNTIL_BLOCKED = """
rest, refused = b"y" * 1500000 + b"end\\n", 0
os.set_blocking(1, False)
while rest:
    try:
        rest, refused = rest[os.write(1, rest[:4096]):], 0
    except BlockingIOError:
        refused += 1
        if refused == 30:
            open({blocked!r}, "w").close()
        time.sleep(0.02)
"""


async def test_both_streams_are_exact(bench: Bench) -> None:
    """Every byte value, on both streams, no more and no fewer; size and CRC-32 are those of the spool."""
    attempt = bench.attempt(
        python("for i in range(300): os.write(1, bytes(range(256))); os.write(2, bytes(range(255, -1, -1)))")
    )
    finished = await bench.carry(attempt)
    assert attempt.stdout == bytes(range(256)) * 300
    assert attempt.stderr == bytes(range(255, -1, -1)) * 300
    _, data = attempt.whole
    assert (finished.size, finished.crc32) == (len(data), zlib.crc32(data))


async def test_a_line_of_ten_megabytes(bench: Bench) -> None:
    """Lines may be of any length."""
    attempt = bench.attempt("head -c 10000000 /dev/zero | tr '\\0' x")
    await bench.carry(attempt)
    assert hashlib.sha256(attempt.stdout).digest() == hashlib.sha256(b"x" * 10_000_000).digest()


async def test_output_is_live_without_a_newline(bench: Bench, tmp_path: Path) -> None:
    """A prompt is in the spool while its process still waits."""
    go = tmp_path / "go"
    attempt = bench.attempt(f"printf 'Password: '; until [ -e {go} ]; do sleep 0.01; done; printf ok")
    await bench.start(attempt)
    await until(lambda: attempt.stdout == b"Password: ")
    go.touch()
    await bench.end(attempt)
    assert attempt.stdout == b"Password: ok"


async def test_order_within_a_stream_and_of_steps(bench: Bench) -> None:
    """A stream keeps its order; each byte knows its step."""
    attempt = bench.attempt("for i in $(seq 500); do echo $i; done", "echo second")
    await bench.carry(attempt)
    assert attempt.stdout == "".join(f"{i}\n" for i in range(1, 501)).encode() + b"second\n"
    spans, data = attempt.whole
    assert attempt.at(data.index(b"second")).step == 1
    assert {
        span.step for span in spans if span.offset < data.index(b"second") and span.stream is Stream.STDOUT
    } == {0}


async def test_a_character_is_not_cut_by_the_other_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two halves of a character are one piece, though stderr wrote between them."""
    monkeypatch.setattr("tailrace.runner.output.HOLD_S", 1e6)  # however slow this machine is
    seen = Carried(AttemptFolder(tmp_path))
    spool, wake = SpoolWriter.open(seen.folder), Wake(seen.folder)
    output = Output(spool, wake, Masker([]))
    out, err = Pipe(output, Stream.STDOUT, 0), Pipe(output, Stream.STDERR, 0)
    os.write(out.writer, b"a\xe8")
    await until(lambda: seen.stdout == b"a")
    os.write(err.writer, b"err\n")
    await until(lambda: seen.stderr == b"err\n")
    os.write(out.writer, b"\xaa\x9eb\n")
    await until(lambda: seen.stdout == "a語b\n".encode())
    assert seen.whole[1] == "aerr\n語b\n".encode()
    for opened in (out, err, wake, spool):
        opened.close()


async def test_half_a_character_does_not_wait_for_ever(bench: Bench, tmp_path: Path) -> None:
    """A sequence that is not completed appears after a moment, and every byte once."""
    go = tmp_path / "go"
    attempt = bench.attempt(
        python(
            f"os.write(1, b'a\\xf0\\x9f')\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)\nos.write(1, b'\\x99\\xe8')"
        )
    )
    await bench.start(attempt)
    await until(lambda: attempt.stdout == b"a\xf0\x9f")
    go.touch()
    await bench.end(attempt)
    assert attempt.stdout == b"a\xf0\x9f\x99\xe8"


async def test_system_text_stands_on_its_own_lines(bench: Bench) -> None:
    """Tailrace's own words do not continue a line of a process, and are in their own stream."""
    attempt = bench.attempt("printf 'no newline'")
    await bench.carry(attempt)
    host = os.uname().nodename
    assert attempt.system == f"tailrace: run acme#12, job test, attempt 1 on {host}\n\ntailrace: passed\n"
    assert attempt.whole[1].endswith(b"no newline\ntailrace: passed\n")


async def test_a_background_child_cannot_hold_the_step(bench: Bench) -> None:
    """A process that keeps the pipe open after the step's own process is killed; the step passes; the log says so."""
    attempt = bench.attempt("echo before; sleep 1000 & echo after", "echo next")
    finished = await bench.carry(attempt)
    assert finished.outcome.state == "passed"
    assert attempt.stdout == b"before\nafter\nnext\n"
    assert "processes in the background kept the step's output open and were killed" in attempt.system
    assert attempt.processes == []


async def test_a_daemon_in_its_own_session_cannot_hold_the_step(bench: Bench) -> None:
    """The same for one that left the process group."""
    attempt = bench.attempt("setsid sleep 1000 & echo done")
    finished = await bench.carry(attempt)
    assert finished.outcome.state == "passed"
    assert "were killed" in attempt.system
    assert attempt.processes == []


async def test_what_a_background_child_says_in_time_is_kept(bench: Bench) -> None:
    """Output after the end of the step's own process belongs to the step too."""

    async def trial(_: int) -> None:
        attempt = bench.attempt("(while kill -0 $$ 2>/dev/null; do sleep 0.01; done; echo late) & echo early")
        await bench.carry(attempt)
        assert attempt.stdout == b"early\nlate\n"
        assert "killed" not in attempt.system

    await at_some_pace(trial)


async def test_a_full_disk_delays_output_and_loses_none(
    bench_in: Callable[[Path], Bench], tmp_path: Path
) -> None:
    """The runner stops reading while there is no room, tells the agent why, and goes on when there is."""
    with small_disk(3 << 20) as disk:
        bench = bench_in(disk)
        with listener(disk / "wake.sock") as agent:
            try:
                ballast = disk / "ballast"
                ballast.write_bytes(bytes(2_500_000))
                blocked = tmp_path / "blocked"
                attempt = bench.attempt(python(_WRITES_UNTIL_BLOCKED.format(blocked=str(blocked))))
                await bench.start(attempt)
                await until(blocked.exists)
                await until(lambda: shutil.disk_usage(disk).free == 0)
                assert attempt.finished is None
                await until(lambda: (said := stalls(agent)) and said[-1])
                ballast.unlink()
                await until(lambda: "" in stalls(agent))
                finished = await bench.end(attempt)
                assert finished.outcome.state == "passed"
                assert attempt.stdout == b"y" * 1_500_000 + b"end\n"
            finally:
                bench.clear()


@contextmanager
def listener(path: Path) -> Generator[socket.socket]:
    """An agent's ear for datagrams."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(path))
        listening.setblocking(False)
        yield listening


def stalls(agent: socket.socket) -> list[str]:
    """What a runner said since the last call of why its output stands still; empty: it does not."""
    said: list[str] = []
    while True:
        try:
            _, found, why = agent.recv(2000).partition(b"\0")
        except BlockingIOError:
            return said
        if found:
            said.append(why.decode())
