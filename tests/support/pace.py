"""Trials of what real times decide: with short ones first, with longer ones where the machine was too busy for those."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

PACES = (1, 4, 16)


async def at_some_pace(trial: Callable[[int], Awaitable[None]]) -> None:
    """Until `trial` holds, with all its times so many times as long; what is wrong fails it at every pace.

    For what must happen within a time, or before one is over, in processes that have no clock but the machine's.
    """
    for pace in PACES[:-1]:
        try:
            await trial(pace)
        except AssertionError as error:
            print(f"at pace {pace}: {error}")
        else:
            return
    await trial(PACES[-1])
