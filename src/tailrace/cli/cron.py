"""`tailrace cron`: what a cron expression means, without a server."""

from __future__ import annotations

import json as json_module
import time
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter

from tailrace.cli.client import CallFailed, show

MOST = 1000


def cron(
    expression: str,
    /,
    *,
    zone: str = "UTC",
    count: Annotated[int, Parameter(name=["--count", "-n"])] = 10,
    json: bool = False,
) -> int:
    """Print the next ticks of a cron expression: of a trigger, or of `on.schedule` in a plan.

    Parameters
    ----------
    expression:
        In quotes: five fields, or six with seconds first, or @daily and the like.
    zone:
        The time zone whose clock it goes by, such as Europe/Berlin.
    count:
        How many ticks.
    json:
        Print them as JSON.
    """
    from tailrace.domain.cron import parse_cron, read_zone

    if not 1 <= count <= MOST:
        raise CallFailed(f"--count {count}: allowed: 1 to {MOST}")
    found, info = parse_cron(expression), read_zone(zone)
    ticks = [
        {
            "at": datetime.fromtimestamp(tick / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "local": (local := datetime.fromtimestamp(tick / 1000, info)).isoformat(),
            "day": local.strftime("%a"),
        }
        for tick in found.first_ticks(count, time.time_ns() // 1_000_000, info)
    ]
    if json:
        told = [{"at": one["at"], "local": one["local"]} for one in ticks]
        shown = {"expression": found.text, "zone": zone, "fixed": found.fixed, "ticks": told}
        print(json_module.dumps(shown, indent=2))
    else:
        show(ticks, as_json=False, columns={"DAY": "day", "LOCAL": "local", "UTC": "at"})
    return 0
