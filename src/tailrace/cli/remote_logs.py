"""Reads a server's logs by byte range, whoever is restarted meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tailrace.agent.backoff import Backoff
from tailrace.cli.client import CallFailed, Client, ServerAway
from tailrace.cli.stretches import Stretch, read_spans
from tailrace.domain.spans import Span, Stream, spans_within

BLOCK_BYTES = 1024 * 1024
PATIENCE_S = 60.0
"""For how long a server may be away before a command gives up reading."""


class Extent(NamedTuple):
    """The bytes [start, stop) of a log that were asked for, and the log's size and state."""

    start: int
    stop: int
    size: int
    state: str


class RemoteLogs:
    """Logs behind the API. Every method blocks, and waits for a server that is away; raises CallFailed."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def extent(self, log: int, **wanted: object) -> Extent:
        """Where the bytes are that the parameters of `GET /api/logs/{log}` name: tail, at, until, from, to."""
        try:
            _, headers = self._ask("HEAD", f"/api/logs/{log}", wanted)
        except CallFailed:
            # The answer to a HEAD has no words that say why.
            self._ask("GET", f"/api/logs/{log}", wanted or {"from": 0, "to": 0})
            raise
        size, length = int(headers["x-log-size"]), int(headers["content-length"])
        start = int(headers.get("x-log-offset", size - length))
        return Extent(start, start + length, size, headers["x-log-state"])

    def data(self, log: int, start: int, stop: int) -> bytes:
        """The bytes [start, stop), as far as the log has them."""
        return self._ask("GET", f"/api/logs/{log}", {"from": start, "to": stop})[0] if start < stop else b""

    def stretches(self, log: int, start: int, stop: int, *, spans: bool = True) -> Iterator[Stretch]:
        """The bytes [start, stop) in blocks; without `spans`, all as if from stdout, which saves asking for them."""
        while start < stop:
            end = min(stop, (start // BLOCK_BYTES + 1) * BLOCK_BYTES)
            data = self.data(log, start, end)
            if not data:
                return
            end = start + len(data)
            found = self._spans(log, start, end) if spans else [Span(start, 0, Stream.STDOUT, 0)]
            yield Stretch(log, start, data, found)
            start = end

    def lines(self, log: int, first: int, last: int, start: int, stop: int) -> Iterator[Stretch]:
        """The lines `first` to `last`, counted from 1, as far as they lie within [start, stop)."""
        begin, end, _, _ = self.extent(log, lines=f"{first}-{last}")
        yield from self.stretches(log, max(begin, start), min(end, stop))

    def _spans(self, log: int, start: int, stop: int) -> list[Span]:
        found: list[Span] = []
        following: int | None = start
        while following is not None and following < stop:
            answer = self._client.decoded(
                self._ask("GET", f"/api/logs/{log}/spans", {"from": following, "to": stop})[0]
            )
            found += read_spans(answer["items"])
            following = answer["next"]
        # After a power loss the log's last bytes may lack spans.
        return spans_within(found, start, stop) or [Span(start, 0, Stream.STDOUT, 0)]

    def _ask(self, method: str, path: str, query: Mapping[str, Any]) -> tuple[bytes, Mapping[str, str]]:
        backoff, until = Backoff(), time.monotonic() + PATIENCE_S
        while True:
            try:
                return self._client.raw(method, path, query)
            except ServerAway:
                if time.monotonic() > until:
                    raise
                time.sleep(backoff.wait_s())
