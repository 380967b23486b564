"""Looks at triggers when their time has come: polls of repositories and URLs, and the ticks of cron.

Several servers may do so on one store: a trigger is claimed while it is looked at, and what comes of a look is kept in
the transaction that ends the claim. So nothing is looked at twice at a time, and a tick makes one run.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Protocol

import structlog

from tailrace.domain.address import without_password
from tailrace.domain.credentials import Opener
from tailrace.domain.errors import Invalid, NoRoom, SourceUnreachable, TailraceError
from tailrace.domain.polls import Found, LookFailed, Wanted
from tailrace.domain.triggers import (
    GitSettings,
    SubversionSettings,
    TriggerKind,
    TriggerSettings,
    UrlSettings,
)
from tailrace.live.bus import Bus
from tailrace.live.scopes import PLANNING, QUEUE, SCHEDULE, wake_run
from tailrace.store import Store
from tailrace.store.clock import read_clock
from tailrace.store.heads import list_heads
from tailrace.store.openers import find_opener
from tailrace.store.polls import next_look_in, release_looks, renew_looks, secrets_of_project
from tailrace.store.sealing import SealingKey
from tailrace.store.triggers import DueTrigger, claim_due
from tailrace.triggers.looked import (
    ClaimLost,
    Clock,
    MovedMeanwhile,
    settle_failed,
    settle_look,
    settle_tick,
)

CLAIM_MS = 30 * 1000
"""Claims are renewed while a look lasts: those of a server that died are free after this time."""
AT_ONCE = 16
TICKS_AT_ONCE = 100
SLOW_S = 5.0
"""How long, in seconds, until the store is asked again, when nobody wakes us and nothing is due before."""
LEAST_S = 0.02
JITTER = 0.1
"""The part of its interval by which a look may come earlier or later, so that many do not come together."""
LONGEST_BACK_OFF_S = 3600
LOOKS_AGAIN = 3
"""How often a look is done anew at once because a webhook moved a head meanwhile."""

POLLED = (TriggerKind.GIT, TriggerKind.SUBVERSION, TriggerKind.URL)

_log = structlog.get_logger("poller")


class Looks(Protocol):
    """What the poller needs of sources."""

    async def look(self, wanted: Wanted) -> Found:
        """What is there now; raises TailraceErrors, whose text is shown with the trigger."""
        ...


class Poller:
    """Claims triggers that are due, a few at a time, and settles what came of them.

    `chance` gives the jitter, from 0 to 1; `clock` says in a transaction when it is.
    """

    def __init__(
        self,
        store: Store,
        bus: Bus,
        key: SealingKey,
        looks: Looks,
        *,
        chance: Callable[[], float] = random.random,
        clock: Clock = read_clock,
    ) -> None:
        self._store = store
        self._bus = bus
        self._key = key
        self._looks = looks
        self._chance = chance
        self._clock = clock
        self._by = secrets.token_hex(8)
        self._asked = asyncio.Event()
        self._busy: dict[asyncio.Task[None], int] = {}  # each with its trigger

    async def run(self) -> None:
        """Look until cancelled."""
        unsubscribe = self._bus.subscribe(SCHEDULE, lambda _note: self._asked.set())
        try:
            while True:
                wait_s = SLOW_S
                try:
                    if self._busy:
                        await self._store.write(renew_looks, self._by, list(self._busy.values()), CLAIM_MS)
                    await self._tick()
                    await self._poll()
                    wait_s = await self._pause()
                except Exception as error:
                    _log.error("triggers could not be looked at; trying again", error=str(error))
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._asked.wait()
                self._asked.clear()
        finally:
            unsubscribe()
            held = list(self._busy.values())
            for task in self._busy:
                task.cancel()
            await asyncio.gather(*self._busy, return_exceptions=True)
            await self._store.write(release_looks, self._by, held)

    async def _pause(self) -> float:
        """Seconds until the next is due; while there is no room, until somebody is done."""
        if len(self._busy) >= AT_ONCE:
            return SLOW_S
        due = await self._store.read(next_look_in)
        return SLOW_S if due is None else min(SLOW_S, max(LEAST_S, due / 1000))

    async def _tick(self) -> None:
        claimed = await self._store.write(claim_due, self._by, CLAIM_MS, TICKS_AT_ONCE, (TriggerKind.CRON,))
        results = await asyncio.gather(
            *(self._store.write(settle_tick, due, self._by, self._clock) for due in claimed),
            return_exceptions=True,
        )
        for due, result in zip(claimed, results, strict=True):
            if isinstance(result, ClaimLost):
                continue
            if isinstance(result, BaseException):
                _log.error(
                    "a tick came to nothing; it is tried again", trigger=due.view.id, error=repr(result)
                )
            else:
                self._wake(result.runs)

    async def _poll(self) -> None:
        room = AT_ONCE - len(self._busy)
        if room <= 0:
            return
        for due in await self._store.write(claim_due, self._by, CLAIM_MS, room, POLLED):
            task = asyncio.create_task(self._look(due))
            self._busy[task] = due.view.id
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        trigger = self._busy.pop(task)
        self._asked.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error(
                "a look could not be settled; its claim runs out, then it is tried again",
                trigger=trigger,
                error=repr(error),
            )

    async def _look(self, due: DueTrigger) -> None:
        for _ in range(LOOKS_AGAIN):
            try:
                wanted = await self._wanted(due)
                found = await self._looks.look(wanted)
            except NoRoom:
                raise
            except TailraceError as error:
                return await self._fail(due, str(error))
            except Exception as error:
                _log.exception("a look failed for a reason of ours", trigger=due.view.id)
                return await self._fail(due, f"the server failed to look: {error!r}")
            wait_ms = self._wait_ms(_interval(due.view.settings))
            try:
                settled = await self._store.write(
                    settle_look, due, self._by, wanted, found, wait_ms, self._clock
                )
            except ClaimLost:
                return None
            except MovedMeanwhile:
                continue
            return self._wake(settled.runs)
        return await self._fail(due, "webhooks moved the branch each time while it was looked at")

    async def _wanted(self, due: DueTrigger) -> Wanted:
        view = due.view
        names = _secret_names(view.settings)
        sealed = await self._store.read(secrets_of_project, view.project, names) if names else {}
        missing = [name for name in names if name not in sealed]
        if missing:
            raise LookFailed(
                f"secret {missing[0]} is not set: `tailrace secret set {missing[0]} --project {view.project_name}`"
            )
        values = {name: self._key.open(found.value, found.row) for name, found in sealed.items()}
        # Read before the look: what a webhook tells from now on is newer than what we may find.
        heads = {head.ref: head.revision for head in await self._store.read(list_heads, view.project)}
        return Wanted(due.repository, view.settings, due.seen, heads, values, await self._opener(due))

    async def _opener(self, due: DueTrigger) -> Opener | None:
        """What opens the project's repository. Raises SourceUnreachable."""
        settings = due.view.settings
        own = isinstance(settings, SubversionSettings) and settings.user is not None
        if own or isinstance(settings, UrlSettings):
            return None
        opener = await self._store.read(find_opener, due.view.project)
        try:
            return None if opener is None else opener.open(self._key, due.repository).opener
        except Invalid as error:
            raise SourceUnreachable(without_password(due.repository), str(error)) from None

    async def _fail(self, due: DueTrigger, error: str) -> None:
        interval = _interval(due.view.settings)
        most = max(interval, LONGEST_BACK_OFF_S)
        wait_ms = self._wait_ms(min(most, interval * 2 ** min(due.view.failures + 1, 16)))
        await self._store.write(settle_failed, due, self._by, error, wait_ms, self._clock)

    def _wait_ms(self, seconds: float) -> int:
        return int(seconds * 1000 * (1 + JITTER * (2 * self._chance() - 1)))

    def _wake(self, runs: Iterable[int]) -> None:
        made = tuple(runs)
        for run in made:
            wake_run(self._bus, run)
        if made:
            self._bus.publish(PLANNING)
            self._bus.publish(QUEUE)


def _interval(settings: TriggerSettings) -> int:
    assert isinstance(settings, GitSettings | SubversionSettings | UrlSettings)
    return settings.interval_s


def _secret_names(settings: TriggerSettings) -> list[str]:
    match settings:
        case SubversionSettings(password=password) if password is not None:
            return [password]
        case UrlSettings(secret_headers=headers):
            return sorted(set(headers.values()))
        case _:
            return []
