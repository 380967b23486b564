"""What a server removes by and by, in one pass an hour."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

PASS_S = 3600.0
FIRST_S = 60.0
"""A server that has just started has other things to do."""


_log = structlog.get_logger("retention")


async def pass_every_hour(apply: Callable[[], Awaitable[object]], what: str) -> None:
    """Remove until cancelled; a pass that fails is logged, and the next one tries again. `what` is removed, in a word."""
    await asyncio.sleep(FIRST_S)
    while True:
        try:
            await apply()
        except Exception as error:
            _log.error(f"{what} could not be removed; trying again", error=str(error))
        await asyncio.sleep(PASS_S)
