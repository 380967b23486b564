"""Open logs of ended attempts, asked for by each agent that connects."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from tailrace.store import Store
from tailrace.store.stalls import LeftLog, left_logs_of

_Answer = asyncio.Future[list[LeftLog]]


class LeftLogs:
    """Reads them for all who ask at about the same time at once.

    The store looks through every open log for an answer, also those of jobs that wait: after a restart all agents come back
    together, and with a look for each of them a long queue would keep the server busy for as long as it is.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._asking: dict[int, list[_Answer]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def of(self, agent_id: int) -> list[LeftLog]:
        """Those of this agent, by a look that began after this was called. Raises what the store raises."""
        answer: _Answer = asyncio.get_running_loop().create_future()
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
                    for answers in asking.values():
                        for answer in _waiting(answers):
                            answer.set_exception(error)
                    continue
                of_agent = defaultdict[int, list[LeftLog]](list)
                for left in found:
                    of_agent[left.agent_id].append(left)
                for agent_id, answers in asking.items():
                    for answer in _waiting(answers):
                        answer.set_result(of_agent[agent_id])
        finally:
            self._looking = None


def _waiting(answers: list[_Answer]) -> list[_Answer]:
    """Whose connection has ended meanwhile does not wait any more."""
    return [answer for answer in answers if not answer.done()]
