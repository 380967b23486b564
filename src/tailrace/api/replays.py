"""What was sent, read and acted on again."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import structlog

from tailrace.domain.deliveries import DeliveryDetail
from tailrace.domain.errors import Conflict, Invalid
from tailrace.live.bus import Bus
from tailrace.live.scopes import PLANNING, QUEUE, wake_run
from tailrace.sources.base import Ignored, Source
from tailrace.store import Store
from tailrace.store.deliveries import StoredDelivery, get_delivery, get_stored, list_replays
from tailrace.triggers.replay import Replayed, replay

_log = structlog.get_logger("deliveries")
SHOWN_BYTES = 256 * 1024
"""Of a body, as text; the whole is a file to save."""


FindSource = Callable[[str, int], Awaitable[Source]]
"""The source of a name, as the project (an id) wants it; raises Invalid for one that there is not."""


class Replays:
    """Finds what senders sent, and acts on it again."""

    def __init__(self, store: Store, bus: Bus, find_source: FindSource, folder: Path) -> None:
        """`folder` holds large bodies of before they were kept in the store."""
        self._store = store
        self._bus = bus
        self._find_source = find_source
        self._folder = folder

    async def look(self, id: int) -> DeliveryDetail:
        """A delivery with what was sent; raises NotFound."""
        stored = await self._store.read(get_stored, id)
        body: bytes | None = None
        with suppress(Conflict):  # the headers are worth seeing all the same
            body = None if stored.removed_at is not None else await self._body_of(stored)
        return DeliveryDetail(
            delivery=await self._store.read(get_delivery, id),
            headers=stored.headers,
            body=None if body is None else _text(body),
            size=len(body or b""),
            cut=len(body or b"") > SHOWN_BYTES,
            replayed=tuple(await self._store.read(list_replays, id)),
        )

    async def body(self, id: int) -> bytes:
        """The body as it was sent; raises NotFound, and Conflict when it was removed."""
        stored = await self._store.read(get_stored, id)
        if stored.removed_at is not None:
            raise Conflict(f"delivery {id}: retention took its headers and body, so it cannot be read again")
        return await self._body_of(stored)

    async def replay(self, id: int, by: str) -> Replayed:
        """Act on it again for `by`; raises NotFound, and Conflict when there is nothing to act on."""
        stored = await self._store.read(get_stored, id)
        body = await self.body(id)
        source = await self._find_source(stored.source, stored.project_id)
        event, state, detail = None, "ignored", None
        try:
            found = await asyncio.to_thread(source.read, stored.headers, body)
            if isinstance(found, Ignored):
                detail = found.why
            else:
                event = found
        except Invalid as error:
            state, detail = "invalid", str(error)
        done = await self._store.write(replay, id, event, state, detail, by=by)
        for run in done.runs:
            wake_run(self._bus, run)
        if done.runs:
            self._bus.publish(PLANNING)
            self._bus.publish(QUEUE)
        return done

    async def _body_of(self, stored: StoredDelivery) -> bytes:
        try:
            return await asyncio.to_thread(self._read, stored)
        except (OSError, zlib.error) as error:
            _log.error("the body of a delivery cannot be read", delivery=stored.id, error=str(error))
            raise Conflict(
                f"delivery {stored.id}: its body cannot be read here: it was kept in a file of the server that took it in"
            ) from None

    def _read(self, stored: StoredDelivery) -> bytes:
        packed = stored.body if stored.body_file is None else (self._folder / stored.body_file).read_bytes()
        return zlib.decompress(packed or b"")


def _text(body: bytes) -> str | None:
    """The beginning of a body; None for what is no text."""
    try:
        return body.decode()[:SHOWN_BYTES]
    except UnicodeDecodeError:
        return None
