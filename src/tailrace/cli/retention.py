"""`tailrace retention`: removes logs, artifacts, deliveries and notifications that have been kept long enough."""

from __future__ import annotations

from typing import Any

from tailrace.cli.client import connect, show
from tailrace.cli.flags import NO_CLIENT_FLAGS, ClientFlags
from tailrace.cli.texts import print_json


def retention(*, dry_run: bool = False, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS) -> int:
    """Remove the logs, artifacts, deliveries and notifications that plans and settings take, now.

    The server does it by itself every hour.

    Parameters
    ----------
    dry_run:
        Only say which.
    """
    done = connect(flags).post("/api/retention", {"dry_run": dry_run})
    if json:
        print_json(done)
        return 0
    if done["removed"]:
        columns = {"LOG": "log", "RUN": "run", "BYTES": "bytes", "WHY": "why"}
        show(_named(done["removed"]), as_json=False, columns=columns)
    if done["artifacts"]:
        columns = {"ARTIFACT": "artifact", "RUN": "run", "PATH": "path", "BYTES": "bytes", "WHY": "why"}
        show(_named(done["artifacts"]), as_json=False, columns=columns)
    if done["deliveries"]:
        columns = {"DELIVERY": "delivery", "PROJECT": "project_name", "WHY": "why"}
        show(done["deliveries"], as_json=False, columns=columns)
    if done["notifications"]:
        columns = {"NOTIFICATION": "notification", "RUN": "run", "WHY": "why"}
        show(_named(done["notifications"]), as_json=False, columns=columns)
    would = "would be removed" if dry_run else "removed"
    logs, artifacts = _count(len(done["removed"]), "log"), _count(len(done["artifacts"]), "artifact")
    deliveries = _count(len(done["deliveries"]), "delivery", "deliveries")
    counts = f"{logs}, {artifacts}, {deliveries} and {_count(len(done['notifications']), 'notification')}"
    print(f"{counts} {would}, {done['bytes']} bytes of the archive")
    return 0


def _named(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**one, "run": f"{one['project_name']}#{one['run_number']}"} for one in found]


def _count(number: int, word: str, many: str | None = None) -> str:
    return f"{number} {word if number == 1 else many or word + 's'}"
