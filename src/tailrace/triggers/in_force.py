"""The text of a plan in the repository that is shown, asked about and compared: that of the default branch's newest commit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from tailrace.domain.errors import Invalid, RevisionNotFound, SourceUnreachable
from tailrace.store import Store
from tailrace.store.in_force import candidate_of, put_in_force


class Newest(Protocol):
    """The newest commit of the default branch."""

    @property
    def revision(self) -> str: ...
    @property
    def branch(self) -> str | None: ...


Resolve = Callable[[str | None, str | None], Awaitable[Newest]]


async def follow_default_branch(store: Store, resolve: Resolve, run_id: int) -> None:
    """A run was planned: its text is in force if its commit is the default branch's newest. `resolve` asks the repository.

    It is asked only where the text is another one than that in force; when it cannot answer, the next run asks again.
    """
    found = await store.read(candidate_of, run_id)
    if found is None:
        return
    try:
        newest = await resolve(None, None)
    except (SourceUnreachable, RevisionNotFound, Invalid):
        return
    if (newest.branch, newest.revision) == (found.branch, found.revision):
        await store.write(put_in_force, found.plan_id, found.number)
