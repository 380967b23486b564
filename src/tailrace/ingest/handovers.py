"""What an agent is handed with new work."""

from __future__ import annotations

from tailrace.domain.artifacts import upload_claim
from tailrace.domain.lease import Lease
from tailrace.domain.wire import JobSecrets
from tailrace.ingest.secrets import open_secrets
from tailrace.store.leases import Handover
from tailrace.store.sealing import SealingKey


def hand_over(key: SealingKey, agent_id: int, handover: Handover) -> JobSecrets:
    """The job's secrets, and the token for its artifacts where it moves some: good for this lease of this agent alone."""
    lease = handover.lease
    secrets = open_secrets(key, lease, handover.sealed)
    if not lease.job.moves_artifacts:
        return secrets
    token = key.sign(upload_claim(lease.attempt, lease.cookie, agent_id))
    return secrets.model_copy(update={"token": token})


def capped(lease: Lease, most: int) -> Lease:
    """The lease with no higher limit for its log than this server allows (bytes)."""
    spec = lease.job.log
    if spec.limit <= most:
        return lease
    job = lease.job.model_copy(update={"log": spec.model_copy(update={"limit": most})})
    return lease.model_copy(update={"job": job})
