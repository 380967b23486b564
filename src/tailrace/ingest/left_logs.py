"""Open logs of ended attempts, asked for by each agent that connects."""

from __future__ import annotations

import asyncio

from tailrace.store import Store
from tailrace.store.stalls import LeftLog, left_logs_of


class LeftLogs:
    """Reads them for all who ask at about the same time at once.

    The store looks through every open log for an answer, also those of jobs that wait: after a restart all agents come back
    together, and with a look for each of them a long queue would keep the server busy for as long as it is.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._asking: dict[int, list[asyncio.Future[list[LeftLog]]]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def of(self, agent_id: int) -> list[LeftLog]:
        """Those of this agent, by a look that began after this was called. Raises what the store raises."""
        answer: asyncio.Future[list[LeftLog]] = asyncio.get_running_loop().create_future()
        self._asking.setdefault(agent_id, []).append(answer)
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        return await answer

    async def _look(self) -> None:
        try:
            while self._asking:
                asking, self._asking = self._asking, {}
                try:
                    found = await self._store.read(left_logs_of, tuple(asking))
                except Exception as error:
                    for answer in _waiting(asking):
                        answer.set_exception(error)
                    continue
                for agent_id, answers in asking.items():
                    own = [left for left in found if left.agent_id == agent_id]
                    for answer in _waiting({agent_id: answers}):
                        answer.set_result(own)
        finally:
            self._looking = None


def _waiting(asking: dict[int, list[asyncio.Future[list[LeftLog]]]]) -> list[asyncio.Future[list[LeftLog]]]:
    """Whose connection has ended meanwhile does not wait any more."""
    return [answer for answers in asking.values() for answer in answers if not answer.done()]
