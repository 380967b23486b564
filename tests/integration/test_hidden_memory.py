"""Server, agent and runner hold tokens and secrets: another process of their user cannot look into them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.house import House
from tests.support.waiting import wait_for


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look into every process")
def test_nobody_of_the_same_user_looks_into_them(tmp_path: Path) -> None:
    """The warm parent, which has neither, is open: what is seen is a matter of hiding, not of the machine."""
    with House(tmp_path) as house:
        server, agent = house.server(), house.agent()
        pids = tmp_path / "pids"
        run = house.run(
            house.script_plan(f"echo $PPID > {pids}.new; mv {pids}.new {pids}; sleep 1000", checkout=False)
        )
        wait_for(pids.exists, "the job to begin")
        runner = int(pids.read_text())
        warm = int(Path(f"/proc/{runner}/stat").read_text().rpartition(") ")[2].split()[1])
        assert [pid for pid in (server.pid, agent.pid, runner, warm) if _is_open(pid)] == [warm]
        house.post(f"/api/runs/{run}/abort")
        house.wait_state(run, "aborted")


def _is_open(pid: int) -> bool:
    try:
        Path(f"/proc/{pid}/environ").read_bytes()
    except PermissionError:
        return False
    return True
