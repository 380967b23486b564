"""What one connected agent says of its attempts, stored in the order in which it happened."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tailrace.domain.errors import LeaseLost, NoRoom, TailraceError
from tailrace.domain.wire import Noted, Said, ServerMessage, Unnoted
from tailrace.ingest.desk import Desk
from tailrace.ingest.room import RETRY_S
from tailrace.live.scopes import AGENTS, wake_ended
from tailrace.store.facts import apply_facts
from tailrace.store.leases import Ended


class Facts:
    """The facts of one connection; `drop` is told of an attempt that the agent has lost, and why."""

    def __init__(
        self,
        desk: Desk,
        agent_id: int,
        send: Callable[[ServerMessage], None],
        drop: Callable[[int, str], None],
    ) -> None:
        self._desk = desk
        self._agent_id = agent_id
        self._send = send
        self._drop = drop
        self._unnoted: dict[int, int] = {}  # attempt -> the fact that has to come first

    def forget(self, attempt_id: int) -> None:
        """Nothing more is expected of this attempt."""
        self._unnoted.pop(attempt_id, None)

    async def store(self, messages: Sequence[Said]) -> None:
        """Store facts that came together, in one transaction: an agent's attempts begin and end in bursts.

        Facts behind one that found no room are not taken before it. Raises TailraceError.
        """
        due = self._due(messages)
        if not due:
            return
        facts = [(message.attempt, message.fact) for message in due]
        try:
            found = await self._desk.store.write(apply_facts, self._agent_id, facts)
        except NoRoom as error:
            self._desk.room.refuse(error)
            for attempt in dict.fromkeys(message.attempt for message in due):
                self._unnote(attempt, min(message.index for message in due if message.attempt == attempt))
            return
        except TailraceError:
            if len(due) == 1:
                raise
            for message in due:  # what is wrong with one must not undo the others for ever
                await self.store([message])
            return
        lost: set[int] = set()
        for message, ended in zip(due, found, strict=True):
            if isinstance(ended, LeaseLost):
                if message.attempt not in lost:
                    self._drop(message.attempt, ended.why)
                lost.add(message.attempt)
            else:
                self._note(message, ended)

    def _due(self, messages: Sequence[Said]) -> list[Said]:
        """Those that no unnoted fact has to precede."""
        due: list[Said] = []
        first = dict(self._unnoted)
        for message in messages:
            attempt = message.attempt
            if message.index > first.get(attempt, message.index):
                self._unnote(attempt, first[attempt])
                continue
            if attempt in first:
                first[attempt] = message.index + 1
            due.append(message)
        return due

    def _note(self, message: Said, ended: Ended) -> None:
        self._unnoted.pop(message.attempt, None)
        self._send(Noted(attempt=message.attempt, index=message.index))
        wake_ended(self._desk.bus, ended.run_id, ended.queued)
        if message.fact.kind in ("started", "finished"):
            self._desk.bus.publish(AGENTS)

    def _unnote(self, attempt_id: int, index: int) -> None:
        self._unnoted[attempt_id] = index
        why = self._desk.room.trouble or "a fact before it could not be stored"
        self._send(Unnoted(attempt=attempt_id, index=index, why=why, retry_s=RETRY_S))
