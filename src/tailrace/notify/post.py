"""Carries one message, or the states of one run's jobs, by one channel."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from tailrace.domain.channels import AppriseSettings, EmailSettings, ForgeSettings, MessageSettings
from tailrace.domain.model import RunView
from tailrace.notify import statuses
from tailrace.notify.apprise import Apprise
from tailrace.notify.base import Message, Target, Undelivered
from tailrace.notify.http import Http
from tailrace.notify.kinds import KINDS
from tailrace.notify.mail import Mailer
from tailrace.store.spoken import Voice

TELL_S = 60.0
"""After so long the rest of a run's jobs is told another time: what a forge has taken is then written down."""


class Post:
    """Knows how each kind of channel is spoken to."""

    def __init__(self, http: Http, mailer: Mailer, apprise: Apprise, *, tell_s: float = TELL_S) -> None:
        self._http = http
        self._mailer = mailer
        self._tell_s = tell_s
        self._apprise = apprise

    async def check(self, settings: MessageSettings | ForgeSettings, secrets: Mapping[str, str]) -> None:
        """Whether such a channel could be spoken to, as far as that is known without speaking; raises Invalid."""
        if isinstance(settings, AppriseSettings):
            await self._apprise.check(secrets["url"])

    async def send(self, settings: MessageSettings, secrets: Mapping[str, str], message: Message) -> None:
        """Raises Undelivered."""
        if isinstance(settings, EmailSettings):
            await self._mailer.send(settings, secrets, message)
            return
        if isinstance(settings, AppriseSettings):
            await self._apprise.send(secrets, message)
            return
        kind = KINDS[settings.kind]
        request = kind.make(Target(settings, secrets, int(time.time() * 1000)), message)
        kind.check(await self._http.post(request.url, request.body, request.headers))

    async def tell(
        self,
        settings: ForgeSettings,
        secrets: Mapping[str, str],
        run: RunView,
        server_url: str,
        told: Mapping[str, str],
        voice: Voice,
        heard: Callable[[str, str], None],
    ) -> bool:
        """Tell a forge of each job whose state it was not `told`; `heard` is called with each that it took.

        It tells what `voice` leaves to it. False when it took so long that some are left. Raises Undelivered at the
        first that it does not take.
        """
        if run.revision is None:
            return True
        until = time.monotonic() + self._tell_s
        asked = False
        for status in statuses.statuses_of(run, server_url, voice):
            if told.get(status.name) == status.said:
                continue
            if asked and time.monotonic() >= until:
                return False
            asked = True
            request = statuses.make(settings, secrets["token"], run.revision, status)
            statuses.check(settings, await self._http.post(request.url, request.body, request.headers))
            heard(status.name, status.said)
        return True

    async def look(self, settings: ForgeSettings, secrets: Mapping[str, str]) -> None:
        """Whether a forge knows repository and token; raises Undelivered."""
        request = statuses.look(settings, secrets["token"])
        answer = await self._http.get(request.url, request.headers)
        if not 200 <= answer.status < 300:
            raise Undelivered(
                f"HTTP {answer.status}: {answer.words()}".rstrip(": ")
                + f"; is there a repository {settings.repository}, and may the token see it?",
                final=True,
            )
