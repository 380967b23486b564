"""What every agent's session needs."""

from __future__ import annotations

from dataclasses import dataclass, field

from tailrace.ingest.handovers import Terms
from tailrace.ingest.left_logs import LeftLogs
from tailrace.ingest.room import Room
from tailrace.ingest.stalls import Stalls
from tailrace.live.bus import Bus
from tailrace.live.hub import LogHub
from tailrace.logs.base import LogReader, LogStore
from tailrace.store import Store
from tailrace.store.sealing import SealingKey


@dataclass(frozen=True)
class Desk:
    """The places that sessions write to; `lease_ms` is how long an agent may be silent; `key` opens secrets;
    `terms` are those of every lease.

    `logs` is the live tail; `reader` reads logs wherever their bytes are.
    """

    store: Store
    logs: LogStore
    hub: LogHub
    bus: Bus
    lease_ms: int
    reader: LogReader
    key: SealingKey
    stalls: Stalls = field(kw_only=True)
    room: Room = field(default_factory=Room, kw_only=True)
    terms: Terms = field(default_factory=Terms, kw_only=True)
    left_logs: LeftLogs = field(kw_only=True)
