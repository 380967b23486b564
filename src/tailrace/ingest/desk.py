"""What every agent's session needs."""

from __future__ import annotations

from dataclasses import dataclass

from tailrace.live.bus import Bus
from tailrace.live.hub import LogHub
from tailrace.logs.base import LogReader, LogStore
from tailrace.store import Store
from tailrace.store.sealing import SealingKey


@dataclass(frozen=True)
class Desk:
    """The places that sessions write to; `lease_ms` is how long an agent may be silent; `key` opens secrets.

    `logs` is the live tail; `reader` reads logs wherever their bytes are.
    """

    store: Store
    logs: LogStore
    hub: LogHub
    bus: Bus
    lease_ms: int
    reader: LogReader
    key: SealingKey
