"""Server, agent and runner hold tokens and secrets: another process of their user cannot look into them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.house import House
from tests.support.waiting import wait_for

POWERLESS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")
"""Root with what is started under it is a user like any other: only powers let it look into every process."""


def test_nobody_of_the_same_user_looks_into_them(tmp_path: Path) -> None:
    """The warm parent, which has neither, is open, and so are a job's processes: executing a program ends the hiding."""
    under = POWERLESS if os.geteuid() == 0 else ()
    if under and shutil.which(under[0]) is None:
        pytest.skip("root may look into every process, and this machine has no setpriv to give up its powers")
    with House(tmp_path) as house:
        server = house.start("server", under=under)
        house.wait_until_up(server)
        token = house.post("/api/agent-tokens")["token"]
        agent = house.start("agent", "--token", token, under=under)
        pids = tmp_path / "pids"
        script = f"echo $PPID $$ > {pids}.new; mv {pids}.new {pids}; sleep 1000"
        run = house.run(house.script_plan(script, checkout=False))
        wait_for(pids.exists, "the job to begin")
        runner, job = map(int, pids.read_text().split())
        warm = int(Path(f"/proc/{runner}/stat").read_text().rpartition(") ")[2].split()[1])
        assert [pid for pid in (server.pid, agent.pid, runner, warm, job) if _is_open(pid, under)] == [
            warm,
            job,
        ]
        house.post(f"/api/runs/{run}/abort")
        house.wait_state(run, "aborted")


def _is_open(pid: int, under: tuple[str, ...]) -> bool:
    look = subprocess.run((*under, "cat", f"/proc/{pid}/environ"), check=False, capture_output=True)
    return look.returncode == 0
