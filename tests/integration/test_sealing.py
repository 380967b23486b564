"""Sealed logs of a real server: read, proved, removed, and taken over after kill -9."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest

from tests.support.house import House
from tests.support.waiting import wait_for

BIG = "for i in $(seq 14); do head -c 6000000 /dev/urandom | base64; done"  # more than one segment
LITTLE_MORE = "for i in $(seq 8); do head -c 9000000 /dev/urandom; done"  # than one segment


def wait_sealed(house: House, run: int) -> dict[str, Any]:
    """The attempt once its log is in the archive."""

    def sealed() -> dict[str, Any] | None:
        attempt = house.attempt(run)
        return attempt if attempt["log_state"] == "sealed" else None

    return wait_for(sealed, f"the log of run {run} to be sealed", 180)


def cli(house: House, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**house.environment, "PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)}
    return subprocess.run(
        [sys.executable, "-m", "tailrace", *arguments], env=environment, capture_output=True, text=True
    )


def objects(house: House) -> list[Path]:
    return sorted((house.data / "archive").glob("*/*.zst"))


def test_a_log_is_sealed_while_its_job_runs_and_reads_the_same(house: House) -> None:
    """Its first segment is in the archive before it ends; then all of it, proved, and readable by zstd."""
    house.up()
    gate = house.folder / "gate"
    run = house.run(house.script_plan(f"{BIG}; while [ ! -e {gate} ]; do sleep 0.05; done; echo done"))
    wait_for(lambda: objects(house), "a first segment")
    log = house.attempt(run)["log"]
    assert house.attempt(run)["log_state"] == "open"
    first = house.client.get(f"/api/logs/{log}", params={"from": 0, "to": 1_000_000}).content
    wait_for(lambda: house.post(f"/api/logs/{log}/verify")["segments"], "the first segment to count")
    assert house.post(f"/api/logs/{log}/verify")["ok"]
    gate.touch()
    attempt = wait_sealed(house, run)
    answer = house.client.get(f"/api/logs/{log}")
    assert answer.headers["x-log-state"] == "sealed"
    assert len(answer.content) == attempt["log_size"] > 100_000_000
    assert answer.content[:1_000_000] == first
    assert answer.content.endswith(b"done\ntailrace: passed\n")
    assert not list((house.data / "logs").glob("*/*")), "the tail let go of it"
    assert len(objects(house)) == 2
    assert house.client.get(f"/api/logs/{log}", params={"tail": 2}).content == b"done\ntailrace: passed\n"
    proved = cli(house, "verify", str(run), "--json")
    assert proved.returncode == 0, proved.stderr
    (proof,) = json.loads(proved.stdout)
    assert (proof["size"], proof["crc32"]) == (len(answer.content), zlib.crc32(answer.content))
    if shutil.which("zstd") is not None:
        done = subprocess.run(["zstd", "-dc", *objects(house)], capture_output=True, check=True)
        assert done.stdout == answer.content
    data = bytearray(objects(house)[1].read_bytes())
    data[1000] ^= 1
    objects(house)[1].write_bytes(data)
    refuted = cli(house, "verify", str(run))
    assert refuted.returncode == 1
    assert "segment 1" in refuted.stdout


def test_a_server_killed_while_it_seals_is_taken_over(house: House) -> None:
    """kill -9 as soon as there is something in the archive; the next one ends it, and every byte is there."""
    server = house.server()
    house.agent()
    house.wait_agent()
    run = house.run(house.script_plan(LITTLE_MORE))
    wait_for(lambda: list((house.data / "archive").glob("*/*")), "something in the archive")
    server.kill()
    house.change("UPDATE log SET claimed_until = 1 WHERE claimed_until IS NOT NULL")  # half a minute later
    house.server()
    house.wait_state(run, "passed")
    log = wait_sealed(house, run)["log"]
    assert house.post(f"/api/logs/{log}/verify")["ok"]
    assert not list((house.data / "logs").glob("*/*"))


def test_an_archive_that_is_away_is_shown_and_fills_no_agent(house: House) -> None:
    """Jobs end as ever, their logs can be read; when it is back they are sealed."""
    house.up()
    first = house.run(house.script_plan("echo first"))
    old = wait_sealed(house, first)["log"]
    mounted, elsewhere = house.data / "archive", house.data / "elsewhere"
    mounted.rename(elsewhere)
    mounted.mkdir()
    run = house.run(house.script_plan("seq 200000", name="big"))
    house.wait_state(run, "passed")
    log = house.wait_log(run)["log"]
    shown = wait_for(lambda: _away(house), "the archive to be shown as away")
    assert shown["waiting_logs"] == 1
    assert "not mounted" in shown["detail"]
    assert shown["since"] is not None
    assert house.client.get("/readyz").json()["archive"].startswith("away: ")
    assert house.output(log).startswith(b"1\n2\n3\n")
    refused = house.client.get(f"/api/logs/{old}")
    assert refused.status_code == 503
    assert "is away" in refused.json()["detail"]
    wait_for(lambda: not list((house.data / "agent" / "attempts").glob("*")), "the agent to let go of it")
    mounted.rmdir()
    elsewhere.rename(mounted)
    wait_sealed(house, run)
    assert house.get("/api/archive")["state"] == "ok"
    assert house.output(old) == b"first\n"
    assert house.output(log).endswith(b"\n200000\n")


def _away(house: House) -> dict[str, Any] | None:
    shown = house.get("/api/archive")
    return shown if shown["state"] == "away" else None


@pytest.fixture
def keeping_one(tmp_path: Path) -> House:
    return House(tmp_path, TAILRACE_RETENTION_RUNS="1")


def test_retention_removes_what_its_rules_take(keeping_one: House) -> None:
    """First said, then done: the log is gone with a word about when and why, its row and its run stay."""
    with keeping_one as house:
        house.up()
        plan = house.script_plan("echo kept long enough")
        runs = [house.run(plan) for _ in range(2)]
        logs = [wait_sealed(house, run)["log"] for run in runs]
        house.post("/api/retention", {"dry_run": True})
        said = json.loads(cli(house, "retention", "--dry-run", "--json").stdout)
        assert [(one["log"], one["run"]) for one in said["removed"]] == [(logs[0], runs[0])]
        assert said["bytes"] > 0
        assert house.output(logs[0]) == b"kept long enough\n", "it was only said"
        done = cli(house, "retention")
        assert "1 log, 0 artifacts, 0 deliveries and 0 notifications removed" in done.stdout
        gone = house.client.get(f"/api/logs/{logs[0]}")
        assert gone.status_code == 410
        assert "was removed by retention on 20" in gone.json()["detail"]
        assert "its plan keeps the logs of its newest 1 runs" in gone.json()["detail"]
        attempt = house.attempt(runs[0])
        assert attempt["log_state"] == "removed"
        assert attempt["log_removed_at"] is not None
        assert house.client.get(f"/api/logs/{logs[0]}/stream").status_code == 410
        wait_for(lambda: len(objects(house)) == 1, "its object to go from the archive")
        assert house.output(logs[1]) == b"kept long enough\n"
        told = cli(house, "verify", str(runs[0]))
        assert told.returncode == 0
        assert "removed by retention on" in told.stdout
