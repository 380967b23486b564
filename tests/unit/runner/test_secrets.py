"""A job's secrets: its steps have them; its record, its runner's environment and arguments have not."""

from __future__ import annotations

import base64
import hashlib
import os
import sys
import urllib.parse
from pathlib import Path

import pytest

from tailrace.domain.facts import StepBegan, StepEnded
from tailrace.domain.outcome import Reason
from tailrace.domain.secrets import masked_parts
from tailrace.domain.spans import Stream
from tailrace.domain.states import AttemptState
from tailrace.runner.folder import AttemptFolder
from tailrace.runner.masking import Masker
from tailrace.runner.masking_forms import forms_of
from tailrace.runner.output import Output, Pipe
from tailrace.runner.spool import SpoolWriter
from tailrace.runner.wake import Wake
from tailrace.runner.warm import RunnerNotStarted
from tests.unit.runner.bench import Bench, Carried, until
from tests.unit.runner.test_warm import parent_of

SECRETS = {
    "TOKEN": "ghp_0aBcD1eFgH2iJkL3mNoP4qRsT5uVwX6yZ7890",
    "PASSWORD": "p@ss 'w0rd\"$/\\é",
    "KEY": "-----BEGIN KEY-----\nMIIEowIBAAKCAQEAx7/Qq+2\n-----END KEY-----\n",
}
FORMS = sorted(
    {form for value in SECRETS.values() for part in masked_parts(value) for form in forms_of(part)}
)
NAMES = tuple(SECRETS)

# Writes every form of every secret, of the given streams, in pieces of random lengths, each in a write of its own.
PRINT_ALL = f"""
exec {sys.executable} -I - <<'END'
import os, random
chance = random.Random(SEED)
forms = [bytes.fromhex(word) for word in open(os.environ["FORMS"]).read().split()]
for form in forms:
    out = b"<" + form + b"> and " + form[: len(form) // 2] + b"!\\n"
    stream = chance.choice((1, 2))
    while out:
        n = chance.choice((1, 2, 5, 30, 4000))
        os.write(stream, out[:n])
        out = out[n:]
END
"""


def everything_in(folder: Path) -> dict[str, bytes]:
    """The bytes of each file of an attempt's record."""
    return {
        path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and not path.is_socket()
    }


def assert_no_secret(kept: dict[str, bytes]) -> None:
    for name, data in kept.items():
        assert [form for form in FORMS if form in data] == [], name


async def test_steps_get_secrets_and_nobody_sees_them(own: Bench, tmp_path: Path) -> None:
    """Neither in a file of the attempt's record, nor in the arguments or environment of runner or warm parent."""
    go, hashes = tmp_path / "go", tmp_path / "hashes"
    attempt = own.attempt(
        f'printf "%s" "$TOKEN$PASSWORD$KEY" | sha256sum > {hashes}; echo ready;'
        f" while [ ! -e {go} ]; do sleep 0.01; done",
        'echo "$TOKEN"; printf %s "$PASSWORD" >&2; echo "$KEY"',
        secrets=NAMES,
    )
    pid = await own.start(attempt, SECRETS)
    await until(lambda: attempt.stdout == b"ready\n")
    for process in (pid, parent_of(own.folder)):
        place = Path(f"/proc/{process}")
        assert_no_secret({name: (place / name).read_bytes() for name in ("environ", "cmdline")})
    go.touch()
    finished = await own.end(attempt)
    assert finished.outcome.state is AttemptState.PASSED
    assert attempt.stdout == b"ready\n***\n***\n\n"
    assert attempt.stderr == b"***"
    assert hashes.read_text().split()[0] == hashlib.sha256("".join(SECRETS.values()).encode()).hexdigest()
    assert_no_secret(everything_in(attempt.folder.path))


async def test_a_start_that_failed_leaves_no_pipe_in_the_parent(own: Bench, tmp_path: Path) -> None:
    """Nor does one that worked: the next runner would inherit another job's secrets."""
    await own.carry(own.attempt("true", secrets=NAMES), SECRETS)
    opened = Path(f"/proc/{parent_of(own.folder)}/fd")
    before = len(list(opened.iterdir()))
    for _ in range(3):
        attempt = own.attempt("true", secrets=NAMES)
        await own.carry(attempt, SECRETS)
        missing = Carried(AttemptFolder(tmp_path / "attempts" / "1-none"))
        with pytest.raises(RunnerNotStarted):
            await own.start(missing, SECRETS)
    await until(lambda: len(list(opened.iterdir())) <= before)


async def test_every_form_in_any_pieces_is_masked(bench: Bench, tmp_path: Path) -> None:
    """On both streams at once; what stands around them is there, and so is what only begins as they do."""
    listed = tmp_path / "forms"
    listed.write_text(" ".join(form.hex() for form in FORMS))
    for seed in range(3):
        attempt = bench.attempt(
            PRINT_ALL.replace("SEED", str(seed)), secrets=NAMES, job_variables={"FORMS": str(listed)}
        )
        finished = await bench.carry(attempt, SECRETS)
        assert finished.outcome.state is AttemptState.PASSED
        assert_no_secret(everything_in(attempt.folder.path))
        said = attempt.stdout + attempt.stderr
        assert said.count(b"<***> and ") == len(FORMS)
        assert said.count(b"!\n") == len(FORMS)


async def test_traces_and_errors_of_a_shell_are_masked(bench: Bench) -> None:
    """`set -x`, a failing command that names its arguments, exports, quoted words."""
    attempt = bench.attempt(
        'set -x; : "$TOKEN" "$PASSWORD" "$KEY"; x=$PASSWORD; printf "%q\n" "$PASSWORD" "$KEY"; export -p; ls "/$TOKEN"',
        secrets=NAMES,
    )
    finished = await bench.carry(attempt, SECRETS)
    assert finished.outcome.reason == Reason.EXIT_CODE
    assert b"***" in attempt.stderr
    assert_no_secret(everything_in(attempt.folder.path))


async def test_names_reasons_and_system_text_are_masked(bench: Bench) -> None:
    """Whatever the runner itself says of the job."""
    token = SECRETS["TOKEN"]
    attempt = bench.attempt("exit 3", "true", names=(f"use {token}", f"then {token}"), secrets=NAMES)
    lease = attempt.folder.lease_file.read_bytes()
    finished = await bench.carry(attempt, SECRETS)
    assert finished.outcome.detail == "step 'use ***' ended with exit code 3"
    names = {fact.name for fact in attempt.facts if isinstance(fact, StepBegan | StepEnded)}
    assert names == {"use ***", "then ***"}
    assert token.encode() in lease, "the plan itself says it: that is for its author to mend"
    kept = everything_in(attempt.folder.path)
    del kept["lease.json"]
    assert_no_secret(kept)


async def test_what_git_says_of_a_failed_checkout_is_masked(bench: Bench) -> None:
    """Its last line becomes the attempt's reason in words."""
    token = SECRETS["TOKEN"]
    attempt = bench.attempt("true", checkout=True, repository=f"/nowhere/{token}", secrets=NAMES)
    finished = await bench.carry(attempt, SECRETS)
    assert finished.outcome.reason == Reason.SOURCE_UNREACHABLE
    assert "/nowhere/***" in str(finished.outcome.detail)
    assert token not in attempt.system


async def test_a_job_without_its_secrets_does_nothing(bench: Bench) -> None:
    """Half of what it needs could do harm."""
    attempt = bench.attempt("echo done", secrets=NAMES)
    finished = await bench.carry(attempt, {"TOKEN": SECRETS["TOKEN"]})
    assert finished.outcome.reason == Reason.SETUP_FAILED
    assert finished.outcome.detail == "the agent handed over no PASSWORD, KEY"
    assert [state for _, state, _ in attempt.steps] == ["skipped"]
    assert attempt.stdout == b""


async def test_a_prompt_that_begins_like_a_secret_appears(bench: Bench, tmp_path: Path) -> None:
    """After a moment; the rest of a secret that came piece by piece does not."""
    go = tmp_path / "go"
    wait = f"while [ ! -e {go} ]; do sleep 0.01; done"
    attempt = bench.attempt(
        f'printf "key: gh"; {wait}; printf "%s" "${{TOKEN:2}}" >&2; printf "%s" "${{TOKEN:2}}"', secrets=NAMES
    )
    await bench.start(attempt, SECRETS)
    await until(lambda: attempt.stdout == b"key: gh")
    go.touch()
    await bench.end(attempt)
    assert attempt.stdout == b"key: gh***"


async def test_a_character_is_not_cut_by_a_mask(tmp_path: Path) -> None:
    """What is kept back is whole characters, however the pipe was read."""
    secret = "é水é水é水"
    seen = Carried(AttemptFolder(tmp_path))
    spool, wake = SpoolWriter.open(seen.folder), Wake(seen.folder)
    pipe = Pipe(Output(spool, wake, Masker([secret])), Stream.STDOUT, 0)
    for byte in f"水{secret[:4]}é|{secret}水".encode():
        os.write(pipe.writer, bytes((byte,)))
    pipe.hand_over()
    await pipe.ended
    spans, data = seen.whole
    assert data.decode() == f"水{secret[:4]}é|***水"
    for span in spans:
        data[span.offset :].decode()
    assert pipe.tail == data
    for opened in (wake, spool):
        opened.close()


async def test_secrets_win_over_variables_of_the_same_name(bench: Bench) -> None:
    """Whoever may start a run with variables of his own cannot put another value in a secret's place."""
    attempt = bench.attempt(
        'test "$TOKEN" != forged',
        secrets=("TOKEN",),
        variables={"TOKEN": "forged"},
        job_variables={"TOKEN": "x"},
    )
    finished = await bench.carry(attempt, {"TOKEN": SECRETS["TOKEN"]})
    assert finished.outcome.state is AttemptState.PASSED


def test_the_forms_that_these_tests_look_for_are_those_of_the_world() -> None:
    """Made here by other means than there."""
    token = SECRETS["PASSWORD"]
    assert urllib.parse.quote(token).encode() in FORMS
    assert base64.b64encode(token.encode()) in FORMS
    assert len(FORMS) > 100
