"""Logs that the archive holds: how one gets there, and what it takes up."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import NamedTuple

from tests.support.house import House
from tests.support.waiting import wait_for

SEALED_WITHIN_S = 180


class Sealed(NamedTuple):
    """A log in the archive: its bytes, those of its segments (spans and index included), when it was whole there (epoch ms)."""

    log: int
    size: int
    packed: int
    sealed_ms: int


def wait_sealed(house: House, run: int) -> Sealed:
    """The log of the run's job, once the archive holds it."""
    house.wait_state(run, "passed", seconds=SEALED_WITHIN_S)
    log = house.attempt(run)["log"]

    def sealed() -> bool:
        return house.client.head(f"/api/logs/{log}").headers["x-log-state"] == "sealed"

    wait_for(sealed, f"log {log} to be sealed", SEALED_WITHIN_S)
    # From the store itself: the API does not tell when.
    database = f"file:{house.data / 'tailrace.db'}?mode=ro"
    with closing(sqlite3.connect(database, uri=True)) as connection:
        [size, sealed_ms] = connection.execute(
            "SELECT size, sealed_at FROM log WHERE id = ?", (log,)
        ).fetchone()
        [packed] = connection.execute("SELECT sum(size) FROM segment WHERE log_id = ?", (log,)).fetchone()
    return Sealed(log, size, packed, sealed_ms)
