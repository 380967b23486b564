"""`tailrace logs`, as a shell sees it, against a real server."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_restarts import counting_run
from tests.support.house import House
from tests.support.waiting import wait_for

MANY = "i=0; while test $i -lt 300; do echo out $i; echo err $i >&2; i=$((i+1)); done"


def logs(house: House, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    """The command, run to its end."""
    return subprocess.run(
        [sys.executable, "-m", "tailrace", "logs", *map(str, arguments)],
        env={**os.environ, **house.environment},
        capture_output=True,
        timeout=120,
    )


def begin(house: House, output: Path, *arguments: object) -> subprocess.Popen[bytes]:
    """The command, running, its output in a file."""
    with output.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "tailrace", "logs", *map(str, arguments)],
            env={**os.environ, **house.environment},
            stdout=file,
            stderr=subprocess.DEVNULL,
        )


def ended(home: House, *steps: str, **job: Any) -> tuple[int, int]:
    """A run that has ended, and its log."""
    run = home.run(home.script_plan(*steps, **job))
    home.wait_state(run, "passed", "failed")
    return run, home.wait_log(run)["log"]


@pytest.fixture(scope="module")
def both(home: House) -> tuple[int, int]:
    """A run that wrote 300 lines to each stream."""
    return ended(home, MANY)


def test_a_run_is_shown_whole(home: House, both: tuple[int, int]) -> None:
    """Everything to standard output, also without a newline at the end and what is no UTF-8; exit status 0, whatever the
    job's was."""
    run, log = both
    shown = logs(home, run)
    assert (shown.returncode, shown.stderr) == (0, b"")
    assert shown.stdout == home.output(log, None)
    odd, log = ended(home, r"printf 'one\ntwo \377\346 three'; exit 3")
    assert logs(home, odd, "--raw").stdout == b"one\ntwo \xff\xe6 three"
    assert logs(home, odd, "--follow", "--raw").stdout == b"one\ntwo \xff\xe6 three"
    assert logs(home, odd, "--follow", "--raw", "--exit-status").returncode == 3


def test_streams_are_chosen(home: House, both: tuple[int, int]) -> None:
    """Each alone is exactly what it wrote; raw is both, without what Tailrace says."""
    run, log = both
    for stream in ("stdout", "stderr", "stdout,stderr", "system"):
        assert logs(home, run, "--stream", stream).stdout == home.output(log, stream)
    assert logs(home, run, "-f", "--stream", "stderr").stdout == home.output(log, "stderr")
    assert logs(home, run, "--raw").stdout == home.output(log, "stdout,stderr")
    wrong = logs(home, run, "--stream", "out")
    assert (wrong.returncode, b"stdout, stderr, system" in wrong.stderr) == (2, True)


def test_a_place_to_begin(home: House, both: tuple[int, int]) -> None:
    """A byte, the last lines, or a moment; and a moment to end before."""
    run, log = both
    whole = home.output(log, None)
    assert logs(home, run, "--from", 1000).stdout == whole[1000:]
    assert logs(home, run, "--from", 10**9).stdout == b""
    assert logs(home, run, "--tail", 3).stdout.splitlines() == whole.splitlines()[-3:]
    assert logs(home, run, "-f", "-n", 3).stdout.splitlines() == whole.splitlines()[-3:]
    spans = home.get(f"/api/logs/{log}/spans")["items"]
    offset, time = next((span[0], span[1]) for span in spans if span[1] > spans[0][1])
    moment = datetime.fromtimestamp(time / 1000, UTC).isoformat(timespec="milliseconds")
    assert logs(home, run, "--since", moment).stdout == whole[offset:]
    assert logs(home, run, "-f", "--since", moment).stdout == whole[offset:]
    assert logs(home, run, "--until", moment).stdout == whole[:offset]
    assert logs(home, run, "-f", "--until", moment).stdout == whole[:offset]
    assert logs(home, run, "--since", "1h").stdout == whole
    assert logs(home, run, "--since", (datetime.now(UTC) + timedelta(hours=1)).isoformat()).stdout == b""


@pytest.mark.parametrize("follow", [(), ("--follow",)])
def test_lines_are_searched(home: House, both: tuple[int, int], follow: tuple[str, ...]) -> None:
    """Whole lines in which the pattern has a match."""
    run, _ = both
    assert logs(home, run, *follow, "--grep", "out 1[0-2]$").stdout == b"out 10\nout 11\nout 12\n"
    assert logs(home, run, *follow, "--grep", "OUT 77").stdout == b""
    assert logs(home, run, *follow, "--grep", "OUT 77", "-i").stdout == b"out 77\n"
    wrong = logs(home, run, *follow, "--grep", "(")
    assert (wrong.returncode, b"--grep '('" in wrong.stderr) == (2, True)


def test_steps_are_chosen_by_name_or_index(home: House) -> None:
    """Only what was written in the step, system lines included."""
    plan = home.plan(
        "jobs: {job: {checkout: false, steps: [{name: first, run: echo one}, {name: second, run: echo two}]}}"
    )
    run = home.run(plan)
    assert logs(home, run, "--follow", "--step", "second", "--raw").stdout == b"two\n"
    assert logs(home, run, "--step", "second", "--raw").stdout == b"two\n"
    assert logs(home, run, "--step", "0", "--raw").stdout == b"one\n"
    assert b"one" in logs(home, run, "--step", "first").stdout
    for arguments in (("--step", "third"), ("--step", "2"), ("--step", "third", "-f"), ("--step", "2", "-f")):
        wrong = logs(home, run, *arguments)
        assert (wrong.returncode, wrong.stdout) == (2, b"")
        assert b"there are 0 first, 1 second" in wrong.stderr


def test_lines_carry_their_time(home: House, both: tuple[int, int]) -> None:
    """ISO 8601 with ms, UTC; as JSON, with all that is known of the line."""
    run, log = both
    stamped = logs(home, run, "--timestamps", "--stream", "stdout").stdout.decode().splitlines()
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z out \d+", line) for line in stamped)
    assert len(stamped) == 300
    lines = [json.loads(line) for line in logs(home, run, "--json", "--stream", "stderr").stdout.splitlines()]
    assert [line["text"] for line in lines] == [f"err {number}" for number in range(300)]
    whole = home.output(log, None)
    for line in lines:
        assert (line["log"], line["job"], line["attempt"], line["stream"]) == (log, "job", 1, "stderr")
        assert whole[line["offset"] :].startswith(line["text"].encode())


def test_jobs_are_told_apart(home: House) -> None:
    """Each line of a run with several jobs begins with the job's name; a job alone has none."""
    project = home.project(f"apart-{os.getpid()}")
    plan = home.plan(
        "jobs: {one: {checkout: false, steps: [{run: printf first}]},"
        " second: {checkout: false, needs: [one], steps: [{run: echo then}]}}",
        project,
    )
    run = home.run(plan)
    both = b"one    | first\nsecond | then\n"
    assert logs(home, run, "--follow", "--stream", "stdout").stdout == both
    assert logs(home, run, "--stream", "stdout").stdout == both
    number = home.show(run)["number"]
    shown = home.show(run)["jobs"][1]
    for target in (
        f"{run}/second",
        f"{run}/second/1",
        f"apart-{os.getpid()}#{number}/second",
        f"job/{shown['id']}",
        f"log/{shown['attempts'][0]['log']}",
    ):
        assert logs(home, target, "--raw").stdout == b"then\n", target
    assert logs(home, f"{run}/second", "--raw", "-f").stdout == b"then\n"
    assert logs(home, f"log/{shown['attempts'][0]['log']}", "--raw", "-f").stdout == b"then\n"
    assert logs(home, run, "--raw").stdout == b"firstthen\n"
    assert b"it has one, second" in logs(home, f"{run}/third").stderr
    for follow in ((), ("--follow",)):
        wrong = logs(home, f"{run}/second/9", *follow)
        assert (wrong.returncode, b"it has attempt 1 alone" in wrong.stderr) == (2, True)
    assert b"--from" in logs(home, run, "--from", 1).stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("x y",), "RUN/JOB"),
        ((10**9,), "there is no run"),
        ((f"log/{10**9}",), "there is no log"),
        ((1, "--from", 1, "--tail", 1), "--from and --tail"),
        ((1, "--raw", "--json"), "--raw and --json"),
        ((1, "--since", "yesterday"), "--since 'yesterday'"),
        ((1, "--speed", 2), "only with --replay"),
        ((1, "--replay", "--speed", 0), "--speed 0"),
        ((1, "--replay", "-f"), "--follow and --replay"),
        ((1, "--exit-status"), "only with --follow"),
        ((1, "--tail", -1), "--tail -1"),
    ],
)
def test_what_cannot_be_is_said(home: House, arguments: tuple[object, ...], words: str) -> None:
    """Exit status 2, one clear sentence, no traceback."""
    done = logs(home, *arguments)
    assert done.returncode == 2
    assert words in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_following_survives_restarts_of_the_server(house: House, tmp_path: Path) -> None:
    """kill -9, twice: no byte is lost or comes twice, in raw output and in lines."""
    server = house.server()
    house.agent()
    run, gate, kept = counting_run(house, tmp_path)
    raw, stamped = tmp_path / "raw", tmp_path / "stamped"
    followers = [
        begin(house, raw, run, "--follow", "--raw"),
        begin(house, stamped, f"{run}/job", "-f", "--json", "--stream", "stdout"),
    ]
    for mark in (200, 500):
        wait_for(lambda mark=mark: b"line %d " % mark in raw.read_bytes(), "the follower to show lines")
        server.kill()
        count = kept.read_bytes().count(b"\n")
        wait_for(lambda count=count: kept.read_bytes().count(b"\n") > count + 20, "output without a server")
        server = house.server()
    gate.touch()
    assert [follower.wait(60) for follower in followers] == [0, 0]
    written = kept.read_bytes()
    assert hashlib.sha256(raw.read_bytes()).hexdigest() == hashlib.sha256(written).hexdigest()
    texts = [json.loads(line)["text"] for line in stamped.read_bytes().splitlines()]
    assert "\n".join(texts).encode() == written


def test_a_reader_that_goes_ends_it_quietly(home: House, tmp_path: Path) -> None:
    """As with `| head`: no traceback, whether it reads what there is or follows."""
    gate = tmp_path / "gate"
    run = home.run(
        home.script_plan(
            f"head -c 3000000 /dev/zero | tr '\\0' x; until test -e {gate}; do sleep 0.01; echo more; done"
        )
    )
    home.wait_output(run, b"more")
    for arguments in ([str(run), "--raw"], [str(run), "-f"]):
        command = subprocess.Popen(
            [sys.executable, "-m", "tailrace", "logs", *arguments],
            env={**os.environ, **home.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert command.stdout is not None
        assert command.stderr is not None
        command.stdout.read(10)
        command.stdout.close()
        assert command.wait(30) == 141
        assert command.stderr.read() == b""
    gate.touch()


def test_ctrl_c_ends_following_with_130(home: House, tmp_path: Path) -> None:
    """And says nothing."""
    run = home.run(home.script_plan("echo on; sleep 600"))
    home.wait_output(run, b"on")
    output = tmp_path / "output"
    follower = begin(home, output, run, "-f")
    wait_for(lambda: b"on\n" in output.read_bytes(), "the follower")
    follower.send_signal(signal.SIGINT)
    assert follower.wait(30) == 130
    home.post(f"/api/runs/{run}/abort")
    assert logs(home, run, "-f", "--exit-status").returncode == 130


def test_a_replay_gives_the_same_bytes(home: House) -> None:
    """With pauses shortened or sped up, each byte once and in order."""
    run, log = ended(home, "for i in 1 2 3; do echo tick $i; sleep 0.2; done")
    whole = home.output(log, None)
    assert logs(home, run, "--replay", "--speed", 100).stdout == whole
    assert logs(home, run, "--replay", "--max-pause", "0").stdout == whole
    assert logs(home, run, "--replay", "--speed", 50, "--raw", "--tail", 2).stdout in whole


def test_progress_bars_settle(home: House) -> None:
    """As a terminal would show them, read whole, followed and asked of the server; the raw log keeps all."""
    run, _ = ended(home, r"printf 'get\n10%%\r50%%\r100%%\nbuild\n\033[1A\033[2Kbuilt\ndone\n'")
    settled = b"get\n100%\nbuilt\ndone\n"
    assert logs(home, run, "--settled", "--stream", "stdout").stdout == settled
    assert logs(home, run, "--settled", "--stream", "stdout", "--follow").stdout == settled
    assert logs(home, run, "--settled", "--grep", "%").stdout == b"100%\n"
    assert b"10%\r50%" in logs(home, run, "--raw").stdout


def test_a_search_finds_what_is_far_apart(home: House) -> None:
    """Single lines, neighbours, the first and the last one; from a byte on; with a pattern that the server refuses."""
    program = (
        "for i in range(40000): print(f'{i} ' + 'hit ' * (i % 9000 in (0, 1, 800)) + 'x' * (i % 50))\n"
        "print('hit last', end='')"
    )
    run, log = ended(home, f'python3 -c "{program}"')
    lines = home.output(log, "stdout").splitlines()
    hits = [line for line in lines if b"hit" in line]
    assert len(hits) == 16
    assert logs(home, run, "--grep", "hit", "--stream", "stdout").stdout.splitlines() == hits
    assert logs(home, run, "--grep", "HIT last$", "-i").stdout == b"hit last\n"
    late = home.output(log, None).index(b"9001 hit") + 1
    assert logs(home, run, "--grep", "hit", "--from", late).stdout.splitlines()[0] == b"001 hit x"
    assert logs(home, run, "--grep", r"\A0 hit").stdout == b"0 hit \n"
    numbered = logs(home, run, "--grep", "hit", "--json", "--stream", "stdout").stdout.splitlines()
    whole = home.output(log, None)
    for line in map(json.loads, numbered):
        assert whole[line["offset"] :].startswith(line["text"].encode())
