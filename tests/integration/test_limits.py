"""Limits in a whole Tailrace: what a plan and an agent allow reaches the kernel, and its word reaches people."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support.control_groups import left_of, need_limits
from tests.support.house import House
from tests.support.waiting import wait_for

EATS = f"{sys.executable} -c 'print(len(b\"x\" * (200 << 20)))'"


def test_a_job_that_eats_too_much_is_told_so(tmp_path: Path) -> None:
    """By the agent's limit, which is lower than the plan's; the next job of the agent is not affected."""
    agent = tmp_path / "data" / "agent"
    need_limits(agent)
    with House(tmp_path, TAILRACE_MAX_MEMORY="48MiB") as house:
        house.up()
        run = house.run(
            house.script_plan(EATS, name="eats", checkout=False, limits={"memory": "1GiB", "cpu": "2"})
        )
        shown = house.wait_state(run, "failed")
        assert shown["reason"] == "out_of_memory"
        attempt = house.attempt(run)
        assert attempt["reason"] == "out_of_memory"
        house.wait_log(run)
        said = house.output(attempt["log"], None).decode()
        assert "tailrace: limits: 48 MiB of memory, 2 processors\n" in said
        assert (
            "ran out of memory: the kernel killed a process of it at the job's limit of 48 MiB of memory"
            in said
        )
        run = house.run(house.script_plan("echo fine", name="fine", checkout=False))
        house.wait_state(run, "passed")
        wait_for(lambda: left_of(agent) == [], "the control groups to be removed")
