"""What a wake may be about. The words are also the topics that watchers name."""

from __future__ import annotations

from tailrace.live.bus import Bus

QUEUE = "queue"
"""Attempts are pending."""

PLANNING = "planning"
"""Runs wait for their plan to be read."""

SCHEDULE = "schedule"
"""Some trigger is to be looked at: it was added, changed or enabled, or somebody asked for it."""

SEALING = "sealing"
"""Some log has ended: it can be sealed."""

RUNS = "runs"
"""Some run changed; the note is its id. Without a note: many, because their project was removed or restored."""

AGENTS = "agents"
"""Some agent came, left or changed."""

TOKENS = "tokens"
"""Some token was removed."""

LAPSED = "lapsed"
"""Leases have run out before their time."""

APPROVALS = "approvals"
"""What waits for a person, as a topic. Nobody wakes it: what asks, decides or withdraws changes a run, and wakes RUNS."""


def run_scope(run_id: int) -> str:
    """This run, its jobs or its attempts changed."""
    return f"run/{run_id}"


def log_scope(log: int) -> str:
    """Another server appended to this log, or ended it; the note is the log's end in bytes, if that is known."""
    return f"log/{log}"


def agent_scope(agent_id: int) -> str:
    """Something that this agent has to be told changed: an abort, a lease that it lost."""
    return f"agent/{agent_id}"


def wake_run(bus: Bus, run_id: int) -> None:
    """Wake all that watch this run, alone or in lists."""
    bus.publish(run_scope(run_id))
    bus.publish(RUNS, run_id)


def wake_ended(bus: Bus, run_id: int, queued: bool) -> None:
    """Wake the watchers of a run in which something ended, and the dispatcher when that queued other attempts."""
    wake_run(bus, run_id)
    if queued:
        bus.publish(QUEUE)
