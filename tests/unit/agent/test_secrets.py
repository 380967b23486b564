"""Secrets on their way through an agent: in memory only, asked for again when it forgot them."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tailrace.agent.attempt import Attempt
from tailrace.domain.credentials import Credentials
from tailrace.domain.lease import Lease
from tailrace.domain.outcome import Reason
from tailrace.domain.plan import JobSpec, RunStep
from tailrace.domain.spans import Stream
from tailrace.domain.states import AttemptState
from tailrace.domain.wire import JobSecrets
from tests.support.folders import contents
from tests.support.git_http import ANYBODY, git_http
from tests.unit.agent.bench import Bench
from tests.unit.agent.peer import Held, Peer, lease_of, until
from tests.unit.runner.bench import git

KEY = Credentials(secret="DEPLOY")
TOKEN = "hush-0aBcD1eFgH2iJkL3mNoP4"


def wanting(attempt: int, script: str) -> Lease:
    """A lease of a job that wants TOKEN."""
    steps = (RunStep(name="step", run=script),)
    return lease_of(attempt, job=JobSpec(name="job", checkout=False, secrets=("TOKEN",), steps=steps))


def on_disk(folder: Path) -> bytes:
    """Every byte of every file in a folder."""
    return b"".join(contents(folder).values())


async def completed(held: Held) -> AttemptState:
    await until(lambda: held.complete, f"attempt {held.lease.attempt} to be complete")
    assert held.finished is not None
    return held.finished.outcome.state


async def test_a_secret_reaches_its_steps_and_no_file(bench: Bench, peer: Peer, tmp_path: Path) -> None:
    """Nor what the agent sends back."""
    gate, copy = tmp_path / "gate", tmp_path / "copy"
    script = f'printf %s "$TOKEN" > {copy}; echo "<$TOKEN>"; while [ ! -e {gate} ]; do sleep 0.01; done'
    held = await peer.lease(wanting(1, script), JobSecrets(values={"TOKEN": TOKEN}))
    await until(lambda: b"<***>" in held.data, "its output")
    assert copy.read_text() == TOKEN
    assert TOKEN.encode() not in on_disk(bench.folder)
    assert TOKEN.encode() not in Path(f"/proc/{os.getpid()}/environ").read_bytes()
    gate.touch()
    assert await completed(held) is AttemptState.PASSED
    assert held.output(Stream.STDOUT) == b"<***>\n"


async def test_an_agent_that_was_restarted_before_the_start_gets_them_again(
    bench: Bench, peer: Peer, tmp_path: Path
) -> None:
    """It has the lease, but no secrets: nothing begins until the server has said them again."""
    gate = tmp_path / "gate"
    busy = [
        await peer.lease(lease_of(number, f"while [ ! -e {gate} ]; do sleep 0.01; done")) for number in (1, 2)
    ]
    waiting = await peer.lease(wanting(3, 'echo "${#TOKEN}"'), JobSecrets(values={"TOKEN": TOKEN}))
    await until(lambda: bench.folder_of(waiting.lease).path.exists(), "the lease to be kept")
    await bench.stop()
    assert TOKEN.encode() not in on_disk(bench.folder)
    gate.touch()
    await bench.start()
    for held in busy:
        assert await completed(held) is AttemptState.PASSED
    assert await completed(waiting) is AttemptState.PASSED
    assert waiting.output(Stream.STDOUT) == f"{len(TOKEN)}\n".encode()


async def test_a_job_that_cannot_have_its_secrets_ends_with_the_server_s_words(
    bench: Bench, peer: Peer
) -> None:
    """It never begins, and its place is free."""
    refused = JobSecrets(refused="job job wants secrets that are not set: TOKEN")
    held = await peer.lease(wanting(1, "echo begun"), refused)
    assert await completed(held) is AttemptState.FAILED
    assert held.finished is not None
    assert held.finished.outcome.reason == Reason.SETUP_FAILED
    assert held.finished.outcome.detail == refused.refused
    assert not held.data
    await until(lambda: peer.free[-1] == 2, "its place to be free")
    await bench.gone(held.lease)


async def test_a_message_that_is_not_understood_is_complained_of_without_its_words(
    bench: Bench, peer: Peer
) -> None:
    """It may hold secrets."""
    broken = {"kind": "leased", "lease": {"attempt": TOKEN}, "secrets": {"values": {"TOKEN": [TOKEN]}}}
    await peer.say_raw(json.dumps(broken))
    await until(lambda: peer.troubles, "a complaint")
    assert "cannot understand a message" in peer.troubles[0].message
    assert TOKEN not in peer.troubles[0].message


async def test_what_opens_the_repository_is_in_memory_alone(bench: Bench, peer: Peer, tmp_path: Path) -> None:
    """The lease names the secret only; the checkout has it, the steps have not."""
    served = tmp_path / "served"
    (served / "shop").mkdir(parents=True)
    git(served / "shop", "init", "-q")
    git(served / "shop", "commit", "-q", "--allow-empty", "-m", "One")
    with git_http(served, {ANYBODY: TOKEN}) as web:
        steps = (RunStep(name="step", run="env"),)
        lease = lease_of(
            1, job=JobSpec(name="job", steps=steps), repository=web.address("shop"), credentials=KEY
        )
        held = await peer.lease(lease, JobSecrets(opener=TOKEN))
        assert await completed(held) is AttemptState.PASSED
    assert b"TAILRACE_JOB=job" in held.data
    assert TOKEN.encode() not in held.data
    assert b"DEPLOY" not in held.output(Stream.STDOUT)
    assert TOKEN.encode() not in on_disk(bench.folder)


def test_nothing_begins_before_what_opens_the_repository_is_there() -> None:
    """An agent that was restarted waits until the server has said it again."""
    attempt = Attempt(lease_of(1, job=JobSpec(name="job"), credentials=KEY), None)
    assert not attempt.equipped
    attempt.secrets = JobSecrets(opener=TOKEN)
    assert attempt.equipped
    assert TOKEN not in repr(attempt)
    assert Attempt(lease_of(1, job=JobSpec(name="job")), None).equipped
