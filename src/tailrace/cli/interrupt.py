"""Ctrl-C while a command waits for a server."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

PATIENCE_S = 2.0
"""How long a farewell to the server may take: a person waits."""


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run it to its end; Ctrl-C ends it, within PATIENCE_S whatever it waits for, by KeyboardInterrupt or exit status 130."""

    async def until_interrupted() -> T:
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(work)

        def interrupt() -> None:
            task.cancel()
            loop.call_later(PATIENCE_S, os._exit, 130)

        loop.add_signal_handler(signal.SIGINT, interrupt)
        return await task

    try:
        return asyncio.run(until_interrupted())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
