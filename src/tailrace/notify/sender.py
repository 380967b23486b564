"""Sends what the outbox holds: claims, tries, tries again, and says what became of it."""

from __future__ import annotations

import asyncio
import json
import random
import secrets as random_bytes
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import ParamSpec

import structlog

from tailrace.domain.channels import REPEATABLE, ForgeSettings, MessageSettings, check_secrets
from tailrace.domain.errors import TailraceError
from tailrace.domain.model import RunView
from tailrace.domain.notifications import What
from tailrace.domain.states import LogState, NotificationState
from tailrace.live.bus import Bus
from tailrace.live.scopes import RUNS
from tailrace.logs.base import LogReader
from tailrace.notify.base import Undelivered
from tailrace.notify.excerpt import last_lines
from tailrace.notify.post import Post
from tailrace.notify.texts import Occasion, failure_of, trial_message, write_message
from tailrace.store import Store
from tailrace.store.channels import channel_row, get_channel, sealed_channel
from tailrace.store.outbox_claims import (
    Due,
    anything_due,
    claim_due,
    end_failed,
    end_sent,
    put_off,
    release,
)
from tailrace.store.runs import get_run
from tailrace.store.sealing import SealingKey
from tailrace.store.spoken import voice_of

CLAIM_MS = 5 * 60 * 1000
"""Longer than any try takes: a claim that runs out belonged to a server that ended."""
AT_ONCE = 8
SLOW_S = 5.0
LEAST_S = 0.2
"""Between two looks, however much happens."""
LOG_GRACE_MS = 20_000
"""For so long a message about a failure waits for the end of the log that it quotes."""
LOG_LOOK_MS = 500
_RECORD_WAITS_S = (0.2, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Together less than a claim holds."""
_STOPPED = "the server was stopped while it was sent: it may have arrived"
WAITS_S = (5, 15, 60, 300, 900, 1800, 3600, 7200, 14_400, 28_800)
"""After each try that failed, more or less; after the last one it has failed: 16 hours."""
MOST_WAIT_S = 3600.0
"""What a receiver may ask for by Retry-After."""

P = ParamSpec("P")

_log = structlog.get_logger("notify")


class Sender:
    """Sends a few notifications at once, one of each channel, so that a slow receiver holds up nobody else's."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        logs: LogReader,
        key: SealingKey,
        post: Post,
        server_url: str,
        *,
        waits_s: Sequence[float] = WAITS_S,
    ) -> None:
        self._store = store
        self._bus = bus
        self._logs = logs
        self._key = key
        self._post = post
        self._url = server_url
        self._waits_s = waits_s
        self._asked = asyncio.Event()
        self._busy: dict[asyncio.Task[None], Due] = {}
        self._by = random_bytes.token_hex(16)

    @property
    def busy(self) -> frozenset[int]:
        """The notifications that are being sent."""
        return frozenset(due.id for due in self._busy.values())

    async def run(self) -> None:
        """Send until cancelled; what has not been handed over then is free at once."""
        unsubscribe = self._bus.subscribe(RUNS, lambda _note: self._asked.set())
        try:
            while True:
                self._asked.clear()
                try:
                    await self.look()
                except Exception as error:
                    _log.error("notifications could not be claimed; trying again", error=str(error))
                await asyncio.sleep(LEAST_S)
                with suppress(TimeoutError):
                    async with asyncio.timeout(SLOW_S):
                        await self._asked.wait()
        finally:
            unsubscribe()
            for task in self._busy:
                task.cancel()
            await asyncio.gather(*self._busy, return_exceptions=True)

    async def look(self) -> None:
        """Claim what is due and begin to send it."""
        room = AT_ONCE - len(self._busy)
        if room <= 0 or not await self._store.read(anything_due):
            return
        channels = {due.channel_id for due in self._busy.values()}
        for due in await self._store.write(claim_due, self._by, CLAIM_MS, room, channels):
            task = asyncio.create_task(self._carry(due))
            self._busy[task] = due
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        due = self._busy.pop(task)
        self._asked.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a notification could not be ended", notification=due.id, exc_info=error)

    async def check_secrets(
        self, settings: MessageSettings | ForgeSettings, secrets: Mapping[str, str]
    ) -> None:
        """Whether these are secrets that such a channel can send with; raises Invalid."""
        check_secrets(settings, secrets)
        await self._post.check(settings, secrets)

    async def try_channel(self, id: int, by: str) -> None:
        """Send a test message by a channel, now; of a forge, ask for its repository. Raises Undelivered, NotFound."""
        channel = await self._store.read(get_channel, id)
        secrets = self._open(id, await self._store.read(sealed_channel, id))
        if isinstance(channel.settings, ForgeSettings):
            await self._post.look(channel.settings, secrets)
            return
        message = trial_message(channel.name, by, int(time.time() * 1000), self._url)
        await self._post.send(channel.settings, secrets, message)

    async def _carry(self, due: Due) -> None:
        told = dict(due.told)
        begun = asyncio.Event()
        try:
            put = await self._try(due, told, begun)
        except asyncio.CancelledError:
            may_repeat = not begun.is_set() or due.settings.kind in REPEATABLE
            await asyncio.shield(
                self._store.write(release, due, _known(due, told))
                if may_repeat
                else self._store.write(end_failed, due, NotificationState.UNSURE, _STOPPED)
            )
            raise
        except Undelivered as error:
            await self._record(self._undelivered, due, error, told)
        except TailraceError as error:
            await self._record(self._undelivered, due, Undelivered(str(error), final=True), told)
        except Exception as error:
            _log.exception("a notification could not be sent", notification=due.id)
            failure = Undelivered(f"the server failed to send it: {error!r}")
            await self._record(self._undelivered, due, failure, told)
        else:
            known = _known(due, told)
            if put:
                await self._record(self._store.write, end_sent, due, known)
            else:
                wait_ms = LOG_LOOK_MS if known is None else 0
                await self._record(self._store.write, put_off, due, wait_ms, None, counts=False, told=known)

    async def _try(self, due: Due, told: dict[str, str], begun: asyncio.Event) -> bool:
        """Hand it over; False when it is too early, or some of it is left.

        `begun` is set before anything leaves. Raises Undelivered.
        """
        secrets = self._open(due.channel_id, due.sealed)
        run = await self._store.read(get_run, due.run_id)
        if isinstance(due.settings, ForgeSettings):
            voice = await self._store.read(voice_of, due.run_id)
            begun.set()
            heard = told.__setitem__
            return await self._post.tell(due.settings, secrets, run, self._url, due.told, voice, heard)
        lines = await self._lines(due, run)
        if lines is None:
            return False
        occasion = Occasion(f"tr-{due.created_at}-{due.id}", due.what, due.detail, due.created_at, lines)
        message = write_message(run, occasion, self._url, due.settings.template)
        begun.set()
        await self._post.send(due.settings, secrets, message)
        return True

    async def _record(self, write: Callable[P, Awaitable[object]], *args: P.args, **kwargs: P.kwargs) -> None:
        """Write down what became of it, also when the database is away or has no room for a while.

        What arrived and is not written down would be sent again, or be in doubt.
        """
        for wait_s in (*_RECORD_WAITS_S, None):
            try:
                await write(*args, **kwargs)
                return
            except Exception as error:
                if wait_s is None:
                    raise
                _log.error(
                    "what became of a notification could not be stored; trying again", error=str(error)
                )
                await asyncio.sleep(wait_s)

    async def _undelivered(self, due: Due, error: Undelivered, told: Mapping[str, str]) -> None:
        known = _known(due, told)
        state = None
        if error.final or due.attempts > len(self._waits_s):
            state = NotificationState.FAILED
        elif error.unsure and due.settings.kind not in REPEATABLE:
            state = NotificationState.UNSURE
        _log.warning(
            "a notification did not arrive", notification=due.id, kind=due.settings.kind.value, why=str(error)
        )
        if state is not None:
            await self._store.write(end_failed, due, state, str(error), known)
            return
        wait_s = self._waits_s[due.attempts - 1] * random.uniform(0.8, 1.2)  # noqa: S311 -- spreading, not secrecy
        wait_s = max(wait_s, min(error.after_s or 0, MOST_WAIT_S))
        await self._store.write(put_off, due, int(wait_s * 1000), str(error), told=known)

    async def _lines(self, due: Due, run: RunView) -> str | None:
        """What the message quotes of the log; None while it is worth waiting for more of it."""
        failure = failure_of(run) if due.what is What.FAILED else None
        if failure is None or failure.attempt is None:
            return ""
        attempt, step = failure.attempt, failure.step
        if attempt.log_state is LogState.OPEN and due.age_ms < LOG_GRACE_MS:
            return None
        return await asyncio.to_thread(last_lines, self._logs, attempt.log, step.index if step else None)

    def _open(self, channel: int, sealed: bytes | None) -> dict[str, str]:
        return {} if sealed is None else json.loads(self._key.open(sealed, channel_row(channel)))


def _known(due: Due, told: Mapping[str, str]) -> Mapping[str, str] | None:
    """What its forge was told, as far as it is for one."""
    return told if isinstance(due.settings, ForgeSettings) else None


def seal_secrets(key: SealingKey, secrets: Mapping[str, str], row: str) -> bytes:
    """A channel's secrets as the store keeps them."""
    return key.seal(json.dumps(dict(secrets)), row)
