"""A project whose runs end as they are told, and a sender that may call loopback, where the fakes are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, update

from tailrace.domain.channels import ForgeSettings, MessageSettings
from tailrace.domain.facts import Finished, StepBegan, StepEnded
from tailrace.domain.notifications import NotificationView, When
from tailrace.domain.outcome import Outcome, Reason
from tailrace.domain.spans import Span, Stream
from tailrace.domain.states import AttemptState, StepState
from tailrace.guard import Guard
from tailrace.live.bus_memory import MemoryBus
from tailrace.logs.tail_file import FileLogStore
from tailrace.notify.apprise import Apprise
from tailrace.notify.http import Http
from tailrace.notify.mail import Mailer
from tailrace.notify.post import TELL_S, Post
from tailrace.notify.sender import Sender, seal_secrets
from tailrace.store import Store
from tailrace.store.channels import add_channel
from tailrace.store.clock import read_clock
from tailrace.store.facts import apply_fact
from tailrace.store.logs import close_log
from tailrace.store.notification_rules import add_rule
from tailrace.store.outbox import NotificationFilter, get_notification, list_notifications
from tailrace.store.sealing import SealingKey
from tailrace.store.tables import outbox
from tests.unit.store.world import PUSH, a_job, a_plan, a_project, a_run, an_agent, lease, start

KEY = SealingKey(bytes(32))
URL = "https://ci.example.org"


class World:
    def __init__(self, store: Store, bus: MemoryBus, logs: FileLogStore) -> None:
        self.store = store
        self.bus = bus
        self.logs = logs
        self.http: Http
        self.mailer = Mailer(Guard.allowing("allow_private_targets", ["127.0.0.1"]))
        self.apprise_python: str | None = None
        self.sender: Sender
        self.project = self.plan = self.agent = 0

    async def begin(self) -> None:
        def make(connection: Connection) -> tuple[int, int, int]:
            project = a_project(connection, "shop")
            return project, a_plan(connection, project), an_agent(connection)

        self.project, self.plan, self.agent = await self.store.write(make)
        self.sender = self.make_sender()

    def make_sender(
        self, *, allow_private: bool = True, timeout_s: float = 10, tell_s: float = TELL_S, **more: Any
    ) -> Sender:
        guard = Guard.allowing("allow_private_targets", ["127.0.0.1"] if allow_private else [])
        self.http = Http(guard, timeout_s=timeout_s)
        post = Post(self.http, self.mailer, Apprise(guard, self.apprise_python), tell_s=tell_s)
        return Sender(self.store, self.bus, self.logs, KEY, post, URL, **more)

    async def close(self) -> None:
        await self.http.close()
        self.mailer.close()
        self.logs.close()

    async def channel(
        self,
        settings: MessageSettings | ForgeSettings,
        secrets: Mapping[str, str],
        *on: When,
        name: str = "one",
    ) -> int:
        """A channel of the project, with a rule for all its runs (where `on` says when)."""

        def add(connection: Connection) -> int:
            id = add_channel(
                connection,
                self.project,
                name,
                settings,
                secrets,
                lambda row: seal_secrets(KEY, secrets, row),
                author="Ada",
            ).id
            if on:
                add_rule(
                    connection,
                    id,
                    project_id=self.project,
                    plan_id=None,
                    on=on,
                    branches=None,
                    author="Ada",
                )
            return id

        return await self.store.write(add)

    async def run(
        self,
        state: AttemptState = AttemptState.FAILED,
        output: Sequence[tuple[int, bytes]] = (),
        *,
        title: str = "Fix it",
        close: bool = True,
    ) -> int:
        """A run that has ended so; `output` are stretches of its log, each with the step that wrote it."""
        event = PUSH.model_copy(update={"title": title})

        def go(connection: Connection) -> tuple[int, int]:
            run = a_run(connection, a_job("test"), plan_id=self.plan, event=event)
            (leased,) = lease(connection, self.agent)
            attempt = leased.attempt
            start(connection, self.agent, attempt)
            failed = state is AttemptState.FAILED
            now = read_clock(connection)
            for step, name in enumerate(("checkout", "make", "tidy")):
                ended = StepState.FAILED if failed and step == 1 else StepState.PASSED
                apply_fact(connection, self.agent, attempt, StepBegan(time=now, step=step, name=name))
                apply_fact(
                    connection,
                    self.agent,
                    attempt,
                    StepEnded(time=now, step=step, name=name, state=ended, exit_code=2 if failed else 0),
                )
            outcome = (
                Outcome(state=state, reason=Reason.EXIT_CODE, detail="make ended with 2", exit_code=2)
                if failed
                else Outcome(state=state, exit_code=0)
            )
            apply_fact(connection, self.agent, attempt, Finished(time=now, outcome=outcome, size=0, crc32=0))
            return run, leased.log

        run, log = await self.store.write(go)
        self.logs.create(log)
        offset = 0
        for step, data in output:
            self.logs.append(log, offset, [Span(offset, 1_700_000_000_000, Stream.STDOUT, step)], data)
            offset += len(data)
        if close:
            await self.store.write(close_log, log, offset, 0)
        return run

    async def notifications(self) -> list[NotificationView]:
        return await self.store.read(list_notifications, NotificationFilter())

    async def show(self, id: int) -> NotificationView:
        return await self.store.read(get_notification, id)

    async def make_due(self) -> None:
        """What was put off is due now."""
        await self.store.write(
            lambda connection: connection.execute(update(outbox).values(next_at=0)).rowcount
        )

    async def send(self) -> NotificationView:
        """One round of sending, to its end; the newest notification afterwards."""
        await self.make_due()
        await self.sender.look()
        await self.idle()
        return (await self.notifications())[0]

    async def idle(self) -> None:
        """Until nothing is being sent."""
        await until(lambda: not self.sender.busy, "the sender to be idle")


async def until(condition: Callable[[], bool], what: str) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)
    assert condition(), what
