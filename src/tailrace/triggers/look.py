"""What the planner asks of a repository for one run, in no more than its time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Protocol, TypeVar

from tailrace.domain.credentials import Remote, as_remote
from tailrace.domain.errors import SourceUnreachable

T = TypeVar("T")


class Commit(Protocol):
    """The commit that a revision or ref names."""

    @property
    def revision(self) -> str: ...
    @property
    def ref(self) -> str | None: ...
    @property
    def branch(self) -> str | None: ...
    @property
    def title(self) -> str: ...
    @property
    def author(self) -> str: ...
    @property
    def message(self) -> str: ...


class Repositories(Protocol):
    """What the planner needs of repositories; raises SourceUnreachable and RevisionNotFound."""

    async def resolve(self, repository: str | Remote, revision: str | None, ref: str | None) -> Commit: ...

    async def read_file(
        self, repository: str | Remote, revision: str, path: str, ref: str | None
    ) -> bytes | None: ...

    async def list_files(
        self, repository: str | Remote, revision: str, ref: str | None, file: str, folder: str
    ) -> tuple[str, ...]: ...

    async def changed(
        self, repository: str | Remote, revision: str, before: str | None, base: str | None
    ) -> tuple[str, ...] | None: ...


class Look:
    """Asks one repository. All that it is asked takes `seconds` at most: then SourceUnreachable is raised."""

    def __init__(self, repositories: Repositories, repository: str | Remote, seconds: float) -> None:
        self._repositories = repositories
        self._repository = repository
        self._seconds = seconds
        self._ends = asyncio.get_running_loop().time() + seconds

    async def resolve(self, revision: str | None, ref: str | None) -> Commit:
        """The commit that is meant; raises Invalid, RevisionNotFound, SourceUnreachable."""
        return await self._in_time(self._repositories.resolve(self._repository, revision, ref))

    async def read_file(self, revision: str, path: str, ref: str | None) -> bytes | None:
        """The bytes of a file; raises as `resolve`."""
        return await self._in_time(self._repositories.read_file(self._repository, revision, path, ref))

    async def list_files(self, revision: str, ref: str | None, file: str, folder: str) -> tuple[str, ...]:
        """`file`, where there is one, and the files in `folder`; raises as `resolve`."""
        return await self._in_time(
            self._repositories.list_files(self._repository, revision, ref, file, folder)
        )

    async def changed(self, revision: str, before: str | None, base: str | None) -> tuple[str, ...] | None:
        """The paths in which a revision differs from another; None where that is not known."""
        return await self._in_time(self._repositories.changed(self._repository, revision, before, base))

    async def _in_time(self, asked: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout_at(self._ends):
                return await asked
        except TimeoutError:
            why = f"it did not answer all that its plan asks within {self._seconds:g} s"
            raise SourceUnreachable(as_remote(self._repository).shown, why) from None
