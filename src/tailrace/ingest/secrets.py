"""Opening the secrets of a job for the agent that carries it: the only place where they leave the store in clear."""

from __future__ import annotations

from collections.abc import Sequence

from tailrace.domain.errors import Invalid
from tailrace.domain.lease import Lease
from tailrace.domain.secrets import MAX_JOB_BYTES
from tailrace.domain.wire import JobSecrets
from tailrace.store.sealing import SealingKey
from tailrace.store.secrets import SealedSecret


def open_secrets(key: SealingKey, lease: Lease, sealed: Sequence[SealedSecret]) -> JobSecrets:
    """What the lease's job wants, or why it cannot have it."""
    if lease.from_fork and lease.job.secrets:
        return JobSecrets(
            refused=f"job {lease.job.name} wants secrets ({', '.join(sorted(lease.job.secrets))}), and a run from a fork"
            " gets none, also when it was approved: somebody may run the branch from the repository itself"
        )
    missing = sorted({*lease.job.secrets} - {secret.name for secret in sealed})
    if missing:
        return JobSecrets(
            refused=f"job {lease.job.name} wants secrets that are not set: {', '.join(missing)};"
            f" set each with `tailrace secret set NAME --project {lease.project}`,"
            " or without --project for all projects, and run again"
        )
    try:
        values = {secret.name: key.open(secret.value, secret.row) for secret in sealed}
    except Invalid as error:
        return JobSecrets(refused=f"a secret of job {lease.job.name} cannot be opened: {error}")
    size = sum(len(value.encode()) for value in values.values())
    if size > MAX_JOB_BYTES:
        return JobSecrets(
            refused=f"the secrets of job {lease.job.name} are {size} bytes together;"
            f" a job may have {MAX_JOB_BYTES // 1024} KiB of them"
        )
    return JobSecrets(values=values)
