"""Agents that end by themselves: after one attempt, or when there was nothing to do for a while."""

from __future__ import annotations

import asyncio

from tailrace.agent.supervisor import Supervisor

LOOK_S = 0.05
LAST_CALL_S = 1.0
"""How long a lease may take that the server gave before it heard that no more are wanted."""


async def until_over(supervisor: Supervisor, idle_timeout_s: float | None) -> str:
    """Until the agent has done all that it was to do, and the server knows all of it; says why it is over.

    `idle_timeout_s` without an attempt are too many, connected or not; None: any time is fine.
    """
    now = asyncio.get_running_loop().time
    idle_since = now()
    while True:
        await asyncio.sleep(LOOK_S)
        if not supervisor.idle:
            idle_since = now()
        elif supervisor.spent:
            return "its work is done"
        elif idle_timeout_s is not None and now() - idle_since >= idle_timeout_s:
            supervisor.take_no_more()
            await asyncio.sleep(LAST_CALL_S)
            if supervisor.idle:
                return f"there was no job for {idle_timeout_s:g} s"
