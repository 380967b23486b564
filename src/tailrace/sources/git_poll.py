"""Looking at the branches and tags of a git repository: `git ls-remote`, and the mirror where something has changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from tailrace.domain.credentials import Remote
from tailrace.domain.errors import RevisionNotFound
from tailrace.domain.events import MOST_PATHS, Event, EventKind
from tailrace.domain.filters import matches
from tailrace.domain.polls import MOST_EARLIER, Change, Found, Wanted, Whom
from tailrace.domain.triggers import GitSettings
from tailrace.sources.mirror import Mirrors
from tailrace.sources.names import is_hash, short_name
from tailrace.sources.patience import within
from tailrace.sources.payload import first_line

MOST_DETAIL = 1000
"""Characters of what is said about a look."""

_BRANCHES, _TAGS = "refs/heads/", "refs/tags/"


class _Told(NamedTuple):
    author: str
    committed_at: int | None
    message: str


class GitPoll:
    """Remembers of each ref that it looks at the revision: `{"refs": {"refs/heads/main": "…"}}`."""

    def __init__(self, mirrors: Mirrors) -> None:
        self._mirrors = mirrors

    async def look(self, wanted: Wanted, settings: GitSettings) -> Found:
        """Raises LookFailed, SourceUnreachable, Invalid, RevisionNotFound."""
        async with within(settings.timeout_s):
            remote = await self._mirrors.refs(wanted.remote)
        refs = _chosen(remote, settings)
        seen: Mapping[str, str] | None = None if wanted.seen is None else wanted.seen.get("refs", {})
        detail = _detail(refs)
        if seen is None:
            return Found({"refs": refs}, f"first look: {detail}", noted=refs)
        changes: list[Change] = []
        gone = tuple(ref for ref in seen if ref not in refs)
        remembered, odd = dict(refs), list[str]()
        for ref, revision in refs.items():
            before = seen.get(ref)
            if before == revision:
                continue
            try:
                changes += await self._changes(wanted, settings, ref, before, revision)
            except RevisionNotFound:  # the others are told all the same
                odd.append(await self._why_not(wanted.remote, ref, revision, before, remembered))
        return Found({"refs": remembered}, "; ".join([detail, *odd])[:MOST_DETAIL], tuple(changes), gone=gone)

    async def _why_not(
        self, repository: Remote, ref: str, revision: str, before: str | None, remembered: dict[str, str]
    ) -> str:
        """Why a ref makes no run. Where its commit cannot be had yet, it is `remembered` where it was: it will be a change."""
        kind = await self._mirrors.ask(repository, "cat-file", "-t", revision)
        what = f"{'tag' if ref.startswith(_TAGS) else 'branch'} {short_name(ref)}"
        if kind is not None:
            return f"{what} names a {kind.decode().strip()} and no commit: it starts nothing"
        if before is None:
            del remembered[ref]
        else:
            remembered[ref] = before
        return f"the commit {revision[:12]} of {what} cannot be had yet: it is looked for again"

    async def _changes(
        self, wanted: Wanted, settings: GitSettings, ref: str, before: str | None, revision: str
    ) -> list[Change]:
        """The commits since `before`, oldest first, where each is wanted; and the newest unless the head is there already."""
        repository = wanted.remote
        await self._mirrors.resolve(repository, revision, ref)
        earlier: list[Change] = []
        if settings.mode == "every" and before is not None and ref.startswith(_BRANCHES):
            path = [before, *await self._between(repository, before, revision)]
            for old, new in pairwise(path):
                earlier.append(Change(await self._event(repository, ref, old, new), Whom.EARLIER))
        if wanted.heads.get(ref) == revision:
            return earlier  # a webhook told of it
        return [*earlier, Change(await self._event(repository, ref, before, revision), Whom.ALL)]

    async def _between(self, repository: Remote, before: str, revision: str) -> list[str]:
        """What the branch itself was at, one after another: of a merge, not the commits that it brought."""
        listed = await self._mirrors.ask(
            repository,
            *("rev-list", "--reverse", "--first-parent", f"--max-count={MOST_EARLIER + 1}"),
            *(revision, f"^{before}", "--"),
        )
        if listed is None:  # pushed over, and gone from the repository
            return []
        return [line for line in listed.decode().split() if line != revision]

    async def _event(self, repository: Remote, ref: str, before: str | None, revision: str) -> Event:
        told = await self._told(repository, revision)
        is_tag = ref.startswith(_TAGS)
        return Event(
            kind=EventKind.TAG if is_tag else EventKind.PUSH,
            ref=ref,
            branch=short_name(ref),
            revision=revision,
            before=before,
            title=first_line(told.message),
            message=told.message,
            committed_at=told.committed_at,
            author=told.author,
            changed=None if is_tag else await self._paths(repository, before, revision),
        )

    async def _told(self, repository: Remote, revision: str) -> _Told:
        answer = await self._mirrors.ask(
            repository, "log", "-1", "--no-show-signature", "--format=%an%x00%ct%x00%B", revision, "--"
        )
        if answer is None:
            raise RevisionNotFound(repository.shown, revision, "the mirror has not got it")
        author, seconds, message = answer.decode(errors="replace").split("\0", 2)
        made = int(seconds) * 1000 if seconds.isdigit() else None  # a commit may claim anything
        return _Told(author, made, message.strip())

    async def _paths(self, repository: Remote, before: str | None, revision: str) -> tuple[str, ...] | None:
        """What lies between two commits; without the first, what the second itself changed."""
        what = (before, revision) if before is not None else ("--root", revision)
        answer = await self._mirrors.ask(
            repository,
            "diff-tree",
            "-r",
            "-z",
            "--name-only",
            "--no-commit-id",
            "--no-renames",
            "-m",
            *what,
            "--",
        )
        if answer is None:
            return None
        paths = tuple(dict.fromkeys(p for p in answer.decode(errors="replace").split("\0") if p))
        return paths if len(paths) <= MOST_PATHS else None


def _chosen(remote: Sequence[tuple[str, str]], settings: GitSettings) -> dict[str, str]:
    """The revisions of the refs that are wanted; of a tag with a message, that of the commit which it names."""
    every = {ref: hash_ for hash_, ref in remote if is_hash(hash_)}
    chosen: dict[str, str] = {}
    for ref, revision in every.items():
        patterns = settings.branches if ref.startswith(_BRANCHES) else settings.tags
        if (
            ref.startswith((_BRANCHES, _TAGS))
            and not ref.endswith("^{}")
            and patterns
            and matches(patterns, short_name(ref) or "")
        ):
            chosen[ref] = every.get(f"{ref}^{{}}", revision)
    return chosen


def _detail(refs: Mapping[str, str]) -> str:
    match list(refs.items()):
        case []:
            return "no branch and no tag matches"
        case [(ref, revision)]:
            return f"{short_name(ref)} is at {revision[:12]}"
        case _:
            return f"{len(refs)} branches and tags"
