"""What a revision is and what a file says there, whatever system keeps the repository."""

from __future__ import annotations

from pathlib import Path

from tailrace.domain.credentials import Remote, as_remote
from tailrace.sources.base import Commit
from tailrace.sources.mirror import Mirrors
from tailrace.sources.subversion import Subversion
from tailrace.sources.ways import UNGUARDED, Ways


class Repositories:
    """Git's by their mirrors, Subversion's by asking them; the address tells which. `folder` is theirs alone.

    They are asked by `ways`.
    """

    def __init__(self, folder: Path, ways: Ways = UNGUARDED) -> None:
        self._git = Mirrors(folder, ways=ways)
        self._svn = Subversion(folder, ways=ways)

    @property
    def git(self) -> Mirrors:
        """Their mirrors: whoever fetches does so by these, one fetch of a repository at a time."""
        return self._git

    @property
    def subversion(self) -> Subversion:
        """Those of Subversion."""
        return self._svn

    async def resolve(self, repository: str | Remote, revision: str | None, ref: str | None) -> Commit:
        """The commit that is meant; raises Invalid, RevisionNotFound, SourceUnreachable."""
        if as_remote(repository).is_subversion:
            return await self._svn.resolve(repository, revision, ref)
        return await self._git.resolve(repository, revision, ref)

    async def read_file(
        self, repository: str | Remote, revision: str, path: str, ref: str | None
    ) -> bytes | None:
        """The bytes of a file at what `resolve` found, or None when there is none.

        Raises Invalid (it is larger than 1 MiB, or no file), RevisionNotFound, SourceUnreachable.
        """
        if as_remote(repository).is_subversion:
            return await self._svn.read_file(repository, revision, path, ref)
        return await self._git.read_file(repository, revision, path)

    async def list_files(
        self, repository: str | Remote, revision: str, ref: str | None, file: str, folder: str
    ) -> tuple[str, ...]:
        """`file`, where there is one, and the paths of the files in `folder`, but not below, at what `resolve` found.

        Raises Invalid, RevisionNotFound, SourceUnreachable.
        """
        if as_remote(repository).is_subversion:
            return await self._svn.list_files(repository, revision, ref, file, folder)
        return await self._git.list_files(repository, revision, file, folder)

    async def changed(
        self, repository: str | Remote, revision: str, before: str | None, base: str | None
    ) -> tuple[str, ...] | None:
        """The paths in which what `resolve` found differs from `before`, or from where it left the branch `base`.

        None where that cannot be told: of Subversion's never.
        """
        if as_remote(repository).is_subversion:
            return None
        return await self._git.changed(repository, revision, before, base)
