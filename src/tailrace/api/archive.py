"""The archive: its state, what retention takes, and the proof of a log."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from tailrace.api.numbers import RowId
from tailrace.artifacts.retention import ArtifactRetention
from tailrace.domain.model import Time
from tailrace.domain.states import LogState
from tailrace.logs.proof import Prover
from tailrace.logs.retention import Retention
from tailrace.logs.sealer import Sealer
from tailrace.notify.outbox_retention import OutboxRetention
from tailrace.store import Store
from tailrace.store.artifact_retention import ExpiredArtifact
from tailrace.store.outbox_retention import ExpiredNotification
from tailrace.store.retention import Expired
from tailrace.store.segments import count_waiting
from tailrace.triggers.inbox_retention import InboxRetention


class ArchiveView(BaseModel):
    """`waiting` is what has ended and is not in the archive yet; `detail` why the archive is away, `since` when."""

    url: str
    state: Literal["ok", "away"]
    detail: str | None
    waiting_bytes: int
    waiting_logs: int
    since: Time | None


class RetentionWish(BaseModel):
    model_config = ConfigDict(extra="forbid")
    dry_run: bool


class RemovedOfRun(BaseModel):
    """Something of a run that a rule takes: `why` says which. People call the run PROJECT#NUMBER."""

    run: int
    project_name: str
    run_number: int
    why: str


class RemovedLog(RemovedOfRun):
    """`bytes` of the archive."""

    log: int
    bytes: int


class RemovedArtifact(RemovedOfRun):
    """`bytes` of the archive."""

    artifact: int
    path: str
    bytes: int


class RemovedDelivery(BaseModel):
    """Of `delivery` its headers and body go, not what came of it; `why` is the rule that takes them."""

    delivery: int
    project: int
    project_name: str
    why: str


class RemovedNotification(RemovedOfRun):
    """Of a message that was sent, or never will be."""

    notification: int


class RetentionView(BaseModel):
    """`removed` are logs; `bytes` is of logs and artifacts together."""

    dry_run: bool
    removed: list[RemovedLog]
    artifacts: list[RemovedArtifact]
    deliveries: list[RemovedDelivery]
    notifications: list[RemovedNotification]
    bytes: int


class SegmentProofView(BaseModel):
    number: int
    start: int
    stop: int
    size: int
    sha256: str
    ok: bool
    detail: str | None


class ProofView(BaseModel):
    """`size` and `crc32` are of all bytes that are held, decompressed; `ok`: they are what the writer declared."""

    log: int
    state: LogState
    ok: bool
    size: int
    crc32: int
    segments: list[SegmentProofView]
    detail: str


def archive_router(
    store: Store,
    sealer: Sealer,
    retention: Retention,
    artifact_retention: ArtifactRetention,
    inbox_retention: InboxRetention,
    outbox_retention: OutboxRetention,
    prover: Prover,
) -> APIRouter:
    """Routes for the archive."""
    router = APIRouter(tags=["archive"])

    @router.get("/api/archive")
    async def show() -> ArchiveView:
        waiting = await store.read(count_waiting)
        state = sealer.state
        return ArchiveView(
            url=state.url,
            state="ok" if state.away is None else "away",
            detail=state.away,
            waiting_bytes=waiting.bytes,
            waiting_logs=waiting.logs,
            since=state.since,
        )

    @router.post("/api/retention")
    async def remove(wish: RetentionWish) -> RetentionView:
        """What the rules of the settings take; without `dry_run` it is gone then."""
        taken = await (retention.look() if wish.dry_run else retention.apply())
        files = await (artifact_retention.look() if wish.dry_run else artifact_retention.apply())
        webhooks = await (inbox_retention.look() if wish.dry_run else inbox_retention.apply())
        messages = await (outbox_retention.look() if wish.dry_run else outbox_retention.apply())
        return RetentionView(
            dry_run=wish.dry_run,
            removed=[RemovedLog(log=one.log_id, bytes=one.bytes, **_of_run(one)) for one in taken],
            artifacts=[
                RemovedArtifact(artifact=one.id, path=one.path, bytes=one.bytes, **_of_run(one))
                for one in files
            ],
            deliveries=[
                RemovedDelivery(
                    delivery=one.id, project=one.project_id, project_name=one.project_name, why=one.why
                )
                for one in webhooks
            ],
            notifications=[RemovedNotification(notification=one.id, **_of_run(one)) for one in messages],
            bytes=sum(one.bytes for one in (*taken, *files)),
        )

    @router.post("/api/logs/{log}/verify")
    async def verify(log: RowId) -> ProofView:
        """Read every byte of the log again, and compare it with what its writer declared and what was put away."""
        proof = await asyncio.to_thread(prover.prove, log)
        segments = [SegmentProofView.model_validate(one._asdict()) for one in proof.segments]
        return ProofView.model_validate(proof._asdict() | {"segments": segments})

    return router


def _of_run(one: Expired | ExpiredArtifact | ExpiredNotification) -> dict[str, Any]:
    return {
        "run": one.run_id,
        "project_name": one.project_name,
        "run_number": one.run_number,
        "why": one.why,
    }
