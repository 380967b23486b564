"""The stretches of a log that hold matching lines, found by the server's search: a large log need not come over the wire."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tailrace.cli.client import CallFailed, Client
from tailrace.cli.remote_logs import RemoteLogs
from tailrace.cli.stretches import Stretch

NEAR_LINES = 500
"""Hits that are so near to each other are fetched together."""

MOST_LINES = 5000
HITS = 100_000


@dataclass
class _Group:
    first: int
    last: int

    def takes(self, line: int) -> bool:
        return line - self.last <= NEAR_LINES and line - self.first < MOST_LINES


def found_stretches(
    client: Client, remote: RemoteLogs, log: int, start: int, stop: int, pattern: str, *, case: bool
) -> Iterator[Stretch]:
    """Whole lines of [start, stop), all that match among them, in order; where the server cannot search, simply all."""
    done: int | None = start
    while done is not None and done < stop:
        group: _Group | None = None
        following: int | None = None
        try:
            for record in client.records(
                f"/api/logs/{log}/search",
                q=pattern,
                regex=1,
                case=int(case),
                limit=HITS,
                **{"from": done},
            ):
                if "error" in record:
                    raise CallFailed(str(record["error"].get("detail")))
                line = record.get("line")
                if line is not None and record["offset"] >= stop:
                    break
                if group is not None and (line is None or not group.takes(line)):
                    for stretch in remote.lines(log, group.first, group.last, done, stop):
                        yield stretch
                        done = stretch.next
                    group = None
                if line is not None:
                    group = _Group(line, line) if group is None else _Group(group.first, line)
                elif "end" in record:
                    following = record["end"]["next"]
        except CallFailed:
            yield from remote.stretches(log, done, stop)
            return
        if group is not None:
            for stretch in remote.lines(log, group.first, group.last, done, stop):
                yield stretch
        done = following
