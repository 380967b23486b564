"""Runs in a booted systemd of its own, as a unit: tries the units of `deploy/`. Its last line is WELL when all went well."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

WELL = "all is well"
URL = "http://127.0.0.1:8000"
GATES = Path("/root/gates")
CODE = Path("/opt/code/tailrace")


def systemctl(*words: str) -> str:
    done = subprocess.run(("systemctl", *words), capture_output=True, text=True, check=False)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout.strip()


def shown(unit: str, name: str) -> str:
    return systemctl("show", "-P", name, f"tailrace-{unit}")


def call(path: str, body: dict[str, Any] | None = None) -> bytes:
    token = Path("/var/lib/tailrace/admin-token").read_text().strip()
    head = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(URL + path, data, head), timeout=10) as answer:
        return answer.read()


def wait_for(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(OSError, IndexError):
            if condition():
                return
        time.sleep(0.05)
    raise AssertionError(f"waited in vain for {what}")


class Job:
    """A run of one job with this script."""

    def __init__(self, project: int, script: str) -> None:
        job = {"checkout": False, "steps": [{"run": script}]}
        plan = {
            "project": project,
            "name": str(time.monotonic_ns()),
            "definition": json.dumps({"jobs": {"a": job}}),
        }
        self.id: int = json.loads(call("/api/runs", {"plan": json.loads(call("/api/plans", plan))["id"]}))[
            "id"
        ]

    @property
    def shown(self) -> dict[str, Any]:
        return json.loads(call(f"/api/runs/{self.id}"))

    @property
    def output(self) -> bytes:
        return call(f"/api/logs/{self.shown['jobs'][0]['attempts'][-1]['log']}")

    def goes_on(self) -> None:
        """Until there is more output than now."""
        size = [0]

        def more() -> bool:
            size[0] = size[0] or len(self.output)
            return len(self.output) > size[0]

        wait_for(more, f"more output of run {self.id}")

    def ends(self, state: str) -> None:
        wait_for(lambda: self.shown["state"] == state, f"run {self.id} to be {state}")


def ticking(project: int, gate: str) -> Job:
    """A job that writes until its gate opens."""
    job = Job(project, f"until [ -e {GATES}/{gate} ]; do echo tick; sleep 0.1; done")
    wait_for(lambda: b"tick" in job.output, "its first output")
    return job


def main() -> None:
    GATES.mkdir()
    wait_for(lambda: urllib.request.urlopen(f"{URL}/readyz").status == 200, "the server")
    token = json.loads(call("/api/agent-tokens", {}))["token"]
    Path("/etc/tailrace").mkdir(exist_ok=True)
    Path("/etc/tailrace/agent.env").write_text(f"TAILRACE_AGENT_TOKEN={token}\nTAILRACE_CAPACITY=8\n")
    systemctl("start", "tailrace-agent")
    project = json.loads(call("/api/projects", {"name": "p", "repository": "/nowhere"}))["id"]

    first = ticking(project, "first")
    old = shown("warm", "MainPID")
    (CODE / "__init__.py").write_text('__version__ = "9.9.9"\n')
    systemctl("restart", "tailrace-agent")
    Job(project, "true").ends("passed")
    new = shown("warm", "MainPID")
    assert new != old, "the parent of the new code is the unit's main process"
    assert Path(f"/proc/{old}").exists(), "the one before has a job"
    first.goes_on()
    (GATES / "first").touch()
    first.ends("passed")
    wait_for(lambda: not Path(f"/proc/{old}").exists(), "the one before to leave with its last job")
    assert (shown("warm", "ActiveState"), shown("warm", "NRestarts")) == ("active", "0")
    print("an upgrade interrupts no job", flush=True)

    second = ticking(project, "second")
    for unit in ("warm", "agent", "server"):
        os.kill(int(shown(unit, "MainPID")), signal.SIGKILL)
        second.goes_on()
        Job(project, "true").ends("passed")
        assert shown(unit, "NRestarts") == "1"
        print(f"kill -9 of {unit} interrupts no job", flush=True)
    (GATES / "second").touch()
    second.ends("passed")

    third = Job(project, "trap 'echo tidied; exit' TERM; while :; do echo tick; sleep 0.05; done")
    wait_for(lambda: b"tick" in third.output, "its first output")
    systemctl("stop", "tailrace-warm")
    third.ends("failed")
    assert third.shown["reason"] == "agent_lost", third.shown
    wait_for(lambda: b"tidied" in third.output, "its last word")
    systemctl("start", "tailrace-warm")
    Job(project, "true").ends("passed")
    print(WELL, flush=True)


if __name__ == "__main__":
    main()
