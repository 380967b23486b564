"""Bodies of strangers: no more of them than there is room for, and none that does not end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from tailrace.api.bodies import MAX_BODY_BYTES, SMALL_BYTES, Bodies, BodyRefused


class Sending:
    """Somebody who sends a body piece by piece; it stops where a piece is None, until it is let go on."""

    def __init__(self, pieces: Sequence[bytes | None], declared: int | None = None) -> None:
        self._pieces = iter(pieces)
        self.stopped, self.goes_on = asyncio.Event(), asyncio.Event()
        headers = [] if declared is None else [(b"content-length", str(declared).encode())]
        self.request = Request({"type": "http", "method": "POST", "headers": headers}, self._receive)

    async def _receive(self) -> Message:
        piece = next(self._pieces, b"")
        if piece is None:
            self.stopped.set()
            await self.goes_on.wait()
            return await self._receive()
        return {"type": "http.request", "body": piece, "more_body": bool(piece)}


async def refused(bodies: Bodies, sending: Sending) -> int:
    with pytest.raises(BodyRefused) as error:
        await bodies.read(sending.request)
    return error.value.answer.status_code


async def test_a_body_is_read_whole() -> None:
    assert await Bodies().read(Sending([b"a" * 100_000, b"b"]).request) == b"a" * 100_000 + b"b"


@pytest.mark.parametrize("declared", [None, MAX_BODY_BYTES + 1])
async def test_one_that_is_too_large_is_refused(declared: int | None) -> None:
    """At once where it says so itself."""
    assert await refused(Bodies(), Sending([b"x" * 2**20] * 26, declared)) == 413


async def test_where_there_is_no_room_large_ones_are_to_come_again_and_small_ones_are_read() -> None:
    """And when the others have ended, however they ended, there is room again."""
    bodies = Bodies(room=3 * SMALL_BYTES)
    large = [b"x" * SMALL_BYTES] * 3
    holds = Sending([*large, None])
    holding = asyncio.create_task(bodies.read(holds.request))
    await holds.stopped.wait()
    assert await refused(bodies, Sending(large)) == 503
    assert await bodies.read(Sending([b"small"]).request) == b"small"
    assert await bodies.read(Sending(large[:2]).request) == b"".join(large[:2])
    holds.goes_on.set()
    assert len(await holding) == 3 * SMALL_BYTES
    assert await bodies.read(Sending(large).request) == b"".join(large)
    gone = Sending([*large, None])
    going = asyncio.create_task(bodies.read(gone.request))
    await gone.stopped.wait()
    going.cancel()
    await asyncio.gather(going, return_exceptions=True)
    assert len(await bodies.read(Sending([b"x" * SMALL_BYTES] * 4).request)) == 4 * SMALL_BYTES


async def test_one_that_does_not_end_is_not_waited_for() -> None:
    assert await refused(Bodies(within_s=0.01), Sending([b"x", None])) == 408


async def test_whoever_goes_away_is_told_nothing() -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    with pytest.raises(ClientDisconnect):
        await Bodies().read(Request({"type": "http", "method": "POST", "headers": []}, receive))
