"""What an agent is handed with new work."""

from __future__ import annotations

from typing import NamedTuple

from tailrace.domain.address import without_password
from tailrace.domain.artifacts import upload_claim
from tailrace.domain.errors import Invalid
from tailrace.domain.lease import Lease
from tailrace.domain.plan.model import MAX_LOG_BYTES
from tailrace.domain.wire import JobSecrets
from tailrace.ingest.secrets import open_secrets
from tailrace.store.leases import Handover
from tailrace.store.sealing import SealingKey


def hand_over(key: SealingKey, agent_id: int, handover: Handover) -> JobSecrets:
    """The job's secrets, what opens its repository, and the token for its artifacts where it moves some: good for this lease
    of this agent alone."""
    lease = handover.lease
    secrets = open_secrets(key, lease, handover.sealed)
    if handover.opener is not None and secrets.refused is None:
        try:
            remote = handover.opener.open(key, lease.repository)
        except Invalid as error:
            shown = without_password(lease.repository)
            return JobSecrets(refused=f"cannot check out {shown}: {error}")
        assert remote.opener is not None
        secrets = secrets.model_copy(update={"opener": remote.opener.value})
    if not lease.job.moves_artifacts:
        return secrets
    token = key.sign(upload_claim(lease.attempt, lease.cookie, agent_id))
    return secrets.model_copy(update={"token": token})


class Terms(NamedTuple):
    """What this server says of every lease: `max_log` is the most bytes of any log, `grace_s` as in a lease."""

    max_log: int = MAX_LOG_BYTES
    grace_s: float = 10.0

    def apply(self, lease: Lease) -> Lease:
        """The lease on these terms, with no higher limit for its log."""
        job, spec = lease.job, lease.job.log
        if spec.limit > self.max_log:
            job = job.model_copy(update={"log": spec.model_copy(update={"limit": self.max_log})})
        return lease.model_copy(update={"job": job, "grace_s": self.grace_s})
