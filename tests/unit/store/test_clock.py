"""The database's clock counts ms since the epoch."""

from __future__ import annotations

import time

from sqlalchemy import Connection

from tailrace.store.clock import read_clock


def test_the_clock_is_the_time_of_day_and_goes_on_within_a_transaction(connection: Connection) -> None:
    before = time.time() * 1000 - 2
    first = read_clock(connection)
    assert before <= first <= time.time() * 1000 + 2
    while read_clock(connection) == first:
        pass
    assert read_clock(connection) > first
