"""What every agent's session needs."""

from __future__ import annotations

from dataclasses import dataclass

from tailrace.live.bus import Bus
from tailrace.live.hub import LogHub
from tailrace.logs.base import LogStore
from tailrace.store import Store
from tailrace.store.sealing import SealingKey


@dataclass(frozen=True)
class Desk:
    """The places that sessions write to; `lease_ms` is how long an agent may be silent; `key` opens secrets."""

    store: Store
    logs: LogStore
    hub: LogHub
    bus: Bus
    lease_ms: int
    key: SealingKey
