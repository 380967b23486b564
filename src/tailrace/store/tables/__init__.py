"""All tables, by subject. Times are ms since the epoch; a CHECK ties each end time to an end state."""

from tailrace.store.columns import metadata
from tailrace.store.tables import run_indexes
from tailrace.store.tables.agents import agent, agent_change
from tailrace.store.tables.approvals import approval, approval_open, environment
from tailrace.store.tables.artifacts import artifact, artifact_kept
from tailrace.store.tables.attempts import (
    attempt,
    attempt_held,
    attempt_may_be_late,
    attempt_pending,
    pause,
    protected_label,
    step,
)
from tailrace.store.tables.deliveries import delivery, delivery_body, delivery_kept, refusal, replay, told
from tailrace.store.tables.identity import agent_token, login_code, server, session, token, token_live
from tailrace.store.tables.logs import log, log_unsealed, orphan, segment
from tailrace.store.tables.notifications import (
    channel,
    outbox,
    outbox_ended,
    outbox_pending,
    rule,
    run_verdict,
)
from tailrace.store.tables.projects import plan, plan_version, project, secret
from tailrace.store.tables.runs import (
    concurrency_group,
    job,
    job_delayed,
    job_in_turn,
    run,
    run_in_turn,
    run_planning,
    run_secret,
)
from tailrace.store.tables.triggers import head, trigger, trigger_scheduled

__all__ = [
    "agent",
    "agent_change",
    "agent_token",
    "approval",
    "approval_open",
    "artifact",
    "artifact_kept",
    "attempt",
    "attempt_held",
    "attempt_may_be_late",
    "attempt_pending",
    "channel",
    "concurrency_group",
    "delivery",
    "delivery_body",
    "delivery_kept",
    "environment",
    "head",
    "job",
    "job_delayed",
    "job_in_turn",
    "log",
    "log_unsealed",
    "login_code",
    "metadata",
    "orphan",
    "outbox",
    "outbox_ended",
    "outbox_pending",
    "pause",
    "plan",
    "plan_version",
    "project",
    "protected_label",
    "refusal",
    "replay",
    "rule",
    "run",
    "run_in_turn",
    "run_indexes",
    "run_planning",
    "run_secret",
    "run_verdict",
    "secret",
    "segment",
    "server",
    "session",
    "step",
    "token",
    "token_live",
    "told",
    "trigger",
    "trigger_scheduled",
]
