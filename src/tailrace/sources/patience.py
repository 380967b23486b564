"""How long a look may take."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from tailrace.domain.polls import LookFailed


@asynccontextmanager
async def within(seconds: float) -> AsyncGenerator[None]:
    """Raises LookFailed when it takes longer."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise LookFailed(f"no answer within {seconds:g} s (timeout_s)") from None
