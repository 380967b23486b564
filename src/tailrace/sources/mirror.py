"""The server's mirrors of git repositories: what a revision is and what a file says there, mostly without network."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, TypeVar

from tailrace.domain.address import check_address, without_password
from tailrace.domain.credentials import Remote, as_remote
from tailrace.domain.errors import Invalid, RevisionNotFound, SourceUnreachable
from tailrace.domain.unlock import both, unlock
from tailrace.guard import TargetRefused, TargetUnknown
from tailrace.process import ProgramMissing
from tailrace.sources.base import Commit
from tailrace.sources.git import GitAnswer, run_git, write_config
from tailrace.sources.names import inner_path, is_abbreviation, is_hash, is_ref_name, short_name
from tailrace.sources.payload import first_line
from tailrace.sources.ways import UNGUARDED, Ways

T = TypeVar("T")
Look: TypeAlias = Callable[[], Awaitable[T | None]]

LARGEST_FILE = 1024 * 1024  # bytes
KNOWN_HOSTS = "known_hosts"
"""Beside the mirrors: machines that ssh has believed."""
_EVERYTHING = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
_ABSENT = ("not our ref", "couldn't find remote ref", "does not allow request for unadvertised object")
_FORMAT = "--format=%H%x00%an%x00%ct%x00%s%x00%B"


class Times(NamedTuple):
    """How long, in seconds, a command may fetch, and how long a repository may take to answer."""

    fetch_s: float
    answer_s: float


class Mirrors:
    """One bare mirror for each address of a repository, and for each secret that opens it, made when it is first asked for.

    `folder` holds nothing else. `timeout` (seconds) bounds each fetch, and `answer_s` what a repository is only asked. A
    mirror holds nothing that its repository does not: removing it costs one clone. Repositories are asked by `ways`.

    A fetch goes on when whoever asked for it has no more time: who asks again finds what it brought.
    """

    def __init__(
        self, folder: Path, *, timeout: float = 600, answer_s: float = 30, ways: Ways = UNGUARDED
    ) -> None:
        self._folder = folder.absolute()
        self._times = Times(timeout, min(timeout, answer_s))
        self._ways = ways
        self._mirrors: dict[str, Mirror] = {}

    async def resolve(
        self, repository: str | Remote, revision: str | None = None, ref: str | None = None
    ) -> Commit:
        """The commit that is meant, held by the mirror when this returns.

        A full hash is looked up here and fetched only when it is missing (`ref`, where it is known, helps to find it
        and names the branch). Anything else asks the repository where it points now: a branch, a tag, the beginning
        of a hash, a full ref; without `revision` it is `ref`, and without either the default branch.

        Raises Invalid (an address or a name that git must not be given), RevisionNotFound, SourceUnreachable.
        """
        mirror = self._mirror(repository)
        if ref is not None and not is_ref_name(ref):
            raise Invalid(f"ref {ref!r}: expected a full ref such as refs/heads/main")
        if revision is not None and is_hash(revision.lower()):
            return await mirror.commit(revision.lower(), ref)
        name = revision if revision is not None else ref
        if name == "HEAD":
            name = None
        if name is not None and not is_ref_name(name):
            raise Invalid(
                f"revision {name!r}: expected a branch, a tag, or the hash of a commit (4 to 40 digits)"
            )
        return await mirror.named(name)

    async def read_file(self, repository: str | Remote, revision: str, path: str) -> bytes | None:
        """The bytes of a file at a revision (a full hash), or None when there is none.

        Raises Invalid (it is larger than 1 MiB, or no file), RevisionNotFound, SourceUnreachable.
        """
        inner = inner_path(path)
        if not is_hash(revision):
            raise Invalid(f"revision {revision!r}: expected a full hash")
        return await self._mirror(repository).read_file(revision, inner)

    async def refs(self, repository: str | Remote) -> list[tuple[str, str]]:
        """What the repository answers now: pairs of hash and full ref, of tags with a message also `REF^{}`, the commit.

        Raises Invalid, SourceUnreachable.
        """
        return await self._mirror(repository).refs()

    async def ask(self, repository: str | Remote, *arguments: str) -> bytes | None:
        """What git says of the mirror as it is, without network; None where it fails: not here, or damaged."""
        return await self._mirror(repository).ask(*arguments)

    async def list_files(
        self, repository: str | Remote, revision: str, file: str, folder: str
    ) -> tuple[str, ...]:
        """`file`, where there is one, and the paths of the files in `folder`, but not below, at a revision (a full hash).

        Raises Invalid, RevisionNotFound, SourceUnreachable.
        """
        if not is_hash(revision):
            raise Invalid(f"revision {revision!r}: expected a full hash")
        places = inner_path(file), f"{inner_path(folder)}/"
        return await self._mirror(repository).list_files(revision, *places)

    async def changed(
        self, repository: str | Remote, revision: str, before: str | None, base: str | None
    ) -> tuple[str, ...] | None:
        """The paths in which a held revision differs from `before`, or from where it left the branch `base`.

        None where that cannot be told, such as when `before` was pushed over and nobody has it any more. Nothing is fetched.
        """
        since = before if base is None else f"refs/heads/{base}"
        if since is None or not is_hash(revision) or not (is_hash(since) or is_ref_name(since)):
            return None
        return await self._mirror(repository).changed(revision, since, base is not None)

    def _mirror(self, repository: str | Remote) -> Mirror:
        remote = as_remote(repository)
        known = self._mirrors.get(remote.place)
        if known is not None and known.remote == remote:
            return known
        check_address(remote.address)
        # Of a secret whose value was replaced, only the new one is known from now on.
        fetching = asyncio.Lock() if known is None else known.fetching
        mirror = Mirror(self._folder, remote, self._times, self._ways, fetching)
        self._mirrors[remote.place] = mirror
        return mirror


class Mirror:
    """The mirror of one repository: looks first, fetches when it must, one fetch at a time: whoever holds `fetching`."""

    def __init__(
        self, folder: Path, remote: Remote, times: Times, ways: Ways, fetching: asyncio.Lock
    ) -> None:
        self.remote = remote
        self.fetching = fetching
        self._folder = folder
        self._place = folder / f"{remote.place}.git"
        self._config = folder / f"{remote.place}.gitconfig"
        self._shown = remote.shown
        self._times = times
        self._ways = ways
        self._fetches: set[asyncio.Task[Any]] = set()

    async def commit(self, revision: str, ref: str | None) -> Commit:
        """The commit of a full hash; `ref` tells where to look for it and names its branch."""
        return await self._obtain(lambda: self._look(revision, ref), revision, ref)

    async def named(self, name: str | None) -> Commit:
        """The commit that a name stands for in the repository now; None means its default branch."""
        tip = await self._tip(name)
        if tip is not None:
            return await self.commit(*tip)
        if name is not None and is_abbreviation(name.lower()):
            return await self._obtain(lambda: self._look(name.lower(), None), name.lower(), None)
        if name is None:
            raise RevisionNotFound(self._shown, "HEAD", "nothing was pushed to its default branch yet")
        raise RevisionNotFound(self._shown, name)

    async def read_file(self, revision: str, path: str) -> bytes | None:
        """The bytes of a file at a full hash, or None when there is none."""
        entry = await self._obtain(lambda: self._entry(revision, path), revision, None)
        if not entry:
            return None
        about = entry.partition(b"\t")[0].decode().split()
        mode, kind, blob, size = about[0], about[1], about[2], about[3]
        if mode == "120000" or kind != "blob":
            what = {"tree": "a folder", "commit": "a submodule"}.get(kind, "a symbolic link")
            raise Invalid(f"{path} at {revision[:12]} is {what}: expected a file")
        if int(size) > LARGEST_FILE:
            raise Invalid(f"{path} at {revision[:12]} has {size} bytes: at most {LARGEST_FILE} are read")
        return await self._obtain(lambda: self._blob(blob), revision, None)

    async def refs(self) -> list[tuple[str, str]]:
        """All branches and tags of the repository now."""
        return await self._remote("refs/heads/*", "refs/tags/*")

    async def ask(self, *arguments: str) -> bytes | None:
        """What git says of the mirror as it is."""
        answer = await self._local(*arguments)
        return None if answer is None else answer.output

    async def list_files(self, revision: str, *places: str) -> tuple[str, ...]:
        """The paths of files at a full hash, in the order of git; a place that ends with / stands for the files in it."""
        listed = await self._obtain(lambda: self._entries(revision, *places), revision, None)
        entries = (entry.partition(b"\t") for entry in listed.split(b"\0") if entry)
        return tuple(
            path.decode(errors="replace")
            for about, _, path in entries
            if about.startswith((b"100644", b"100755"))
        )

    async def changed(self, revision: str, since: str, from_base: bool) -> tuple[str, ...] | None:
        """The paths in which two commits differ; `from_base`: in which `revision` differs from what both come from."""
        between = f"{since}...{revision}" if from_base else f"{since}..{revision}"
        answer = await self._local(
            "diff", "--name-only", "--no-renames", "--no-ext-diff", "-z", between, "--"
        )
        if answer is None:
            return None
        return tuple(name for name in answer.output.decode(errors="replace").split("\0") if name)

    # Looking: local, without lock; None is "not here", whether missing or damaged.

    async def _look(self, revision: str, ref: str | None) -> Commit | None:
        answer = await self._local(
            "log", "-1", "--no-show-signature", _FORMAT, f"{revision}^{{commit}}", "--"
        )
        if answer is None:
            return None
        hash_, author, time, title, message = answer.output.decode(errors="replace").split("\0", 4)
        return Commit(
            revision=hash_,
            ref=ref,
            branch=short_name(ref) if ref else None,
            title=first_line(title) or "",
            author=first_line(author) or "",
            time=_time(time),
            message=message.strip(),
        )

    async def _entry(self, revision: str, path: str) -> bytes | None:
        answer = await self._local("ls-tree", "-z", "-l", "--full-tree", revision, "--", path)
        # BAD stands for the size of a file whose bytes are missing here.
        return (
            None if answer is None or answer.output.partition(b"\t")[0].endswith(b" BAD") else answer.output
        )

    async def _entries(self, revision: str, *places: str) -> bytes | None:
        answer = await self._local("ls-tree", "-z", "--full-tree", revision, "--", *places)
        return None if answer is None else answer.output

    async def _blob(self, blob: str) -> bytes | None:
        answer = await self._local("cat-file", "blob", blob)
        return None if answer is None else answer.output

    async def _kind(self, revision: str) -> str | None:
        answer = await self._local("cat-file", "-t", revision)
        return None if answer is None else answer.output.decode().strip()

    async def _local(self, *arguments: str) -> GitAnswer | None:
        if not self._place.is_dir():
            return None
        answer = await self._git(f"--git-dir={self._place}", *arguments)
        return answer if answer.status == 0 else None

    # Fetching: one at a time, to its end; who waited looks again before fetching too.

    async def _obtain(self, look: Look[T], revision: str, ref: str | None) -> T:
        found = await look()
        if found is not None:
            return found
        await self.fetching.acquire()
        try:
            found = await look()
        except BaseException:
            self.fetching.release()
            raise
        if found is not None:
            self.fetching.release()
            return found
        fetch = asyncio.create_task(self._fetch_until(look, revision, ref))
        self._fetches.add(fetch)
        fetch.add_done_callback(self._fetched)
        return await asyncio.shield(fetch)

    def _fetched(self, fetch: asyncio.Task[Any]) -> None:
        self._fetches.discard(fetch)
        self.fetching.release()
        if not fetch.cancelled():
            fetch.exception()  # whoever asked may be gone

    async def _fetch_until(self, look: Look[T], revision: str, ref: str | None) -> T:
        if self._place.is_dir():
            with contextlib.suppress(_Damaged):
                await self._fetch(self._place, "--prune", "origin", *_EVERYTHING)
                return await self._look_further(look, revision, ref)
        try:
            await self._clone()
            return await self._look_further(look, revision, ref)
        except _Damaged as damaged:
            raise SourceUnreachable(self._shown, without_password(str(damaged)), self._opener) from None

    async def _look_further(self, look: Look[T], revision: str, ref: str | None) -> T:
        """Look, fetching what no branch and no tag leads to. Raises RevisionNotFound, SourceUnreachable, _Damaged."""
        if (found := await look()) is not None:
            return found
        held = False
        for place in self._places_of(revision, ref):
            held = await self._fetch(self._place, "origin", place) or held
            if held and (found := await look()) is not None:
                return found
        if held and await self._kind(revision) in (None, "commit"):
            raise _Damaged("the repository has it, and still the mirror has not")
        raise RevisionNotFound(self._shown, revision, "no branch, tag or pull request leads to it")

    def _places_of(self, revision: str, ref: str | None) -> list[str]:
        """Where a commit may be that no branch and no tag leads to: a pull request's, or one pushed over since."""
        if not is_hash(revision):
            return []
        places = [f"+{revision}:refs/tailrace/{revision}"]
        if ref is not None and ref.startswith("refs/") and short_name(ref) is None:
            places.append(f"+{ref}:{ref}")
        return places

    async def _fetch(self, place: Path, *what: str) -> bool:
        """Fetch; False when the repository does not have what was asked for. Raises _Damaged, SourceUnreachable."""
        options = (
            "--quiet",
            "--force",
            "--no-tags",
            "--update-shallow",
            "--no-write-fetch-head",
            "--no-recurse-submodules",
        )
        answer = await self._over_network(f"--git-dir={place}", "fetch", *options, *what)
        if answer.status == 0:
            return True
        if any(absent in answer.complaint for absent in _ABSENT):
            return False
        await self._remote_heads()  # if the repository answers, it is the mirror that is at fault
        raise _Damaged(answer.why)

    async def _clone(self) -> None:
        """Make the mirror anew; the one that is there, if any, is replaced only when the new one is whole."""
        heads = await self._remote_heads()
        fresh, old = (self._place.with_suffix(suffix) for suffix in (".new", ".old"))
        try:
            await _remove(fresh, old)
            kind = "sha256" if any(len(hash_) == 64 for hash_, _ in heads) else "sha1"
            made = await self._git(
                "init", "--quiet", "--bare", "--template=", f"--object-format={kind}", str(fresh)
            )
            if made.status != 0:
                raise _Damaged(made.why)
            await self._fetch(fresh, "origin", *_EVERYTHING)
            if self._place.exists():
                self._place.rename(old)
            fresh.rename(self._place)
        finally:
            await _remove(fresh, old)

    # Asking the repository.

    async def _tip(self, name: str | None) -> tuple[str, str | None] | None:
        """Hash and full ref that a name stands for now; a branch goes before a tag."""
        if name is None:
            heads = await self._remote_heads()
            target = next(
                (hash_.removeprefix("ref: ") for hash_, _ in heads if hash_.startswith("ref: ")), None
            )
            return next(((hash_, target) for hash_, _ in heads if is_hash(hash_)), None)
        candidates = [name] if name.startswith("refs/") else [f"refs/heads/{name}", f"refs/tags/{name}"]
        found = {
            ref: hash_ for hash_, ref in await self._remote(*candidates, *(f"{c}^{{}}" for c in candidates))
        }
        for ref in candidates:
            if ref in found:
                return found.get(f"{ref}^{{}}", found[ref]), ref
        return None

    async def _remote_heads(self) -> list[tuple[str, str]]:
        return await self._remote("HEAD")

    async def _remote(self, *patterns: str) -> list[tuple[str, str]]:
        """Pairs of hash (or `ref: TARGET`) and ref that the repository answers with. Raises SourceUnreachable."""
        answer = await self._over_network("ls-remote", "--symref", "origin", *patterns)
        if answer.status != 0:
            raise SourceUnreachable(self._shown, without_password(answer.why), self._opener)
        lines = answer.output.decode(errors="replace").splitlines()
        return [(hash_, ref) for hash_, _, ref in (line.partition("\t") for line in lines)]

    async def _over_network(self, *arguments: str) -> GitAnswer:
        """Raises SourceUnreachable also where the guard does not let git go."""
        key = unlock(self.remote, self._folder / KNOWN_HOSTS)
        try:
            async with self._ways.to(self.remote.address) as way:
                answer = await self._git(*arguments, more=both(way.for_git(), key.env), held=key.held)
        except (TargetRefused, TargetUnknown) as error:
            raise SourceUnreachable(self._shown, str(error)) from None
        if answer.status != 0 and way.refused:
            raise SourceUnreachable(self._shown, way.refused[0])
        return answer

    @property
    def _opener(self) -> str | None:
        return None if self.remote.opener is None else self.remote.opener.words

    async def _git(
        self, *arguments: str, more: Mapping[str, str] | None = None, held: Sequence[bytes] = ()
    ) -> GitAnswer:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_config(self._config, self.remote.url)
        word = next(a for a in arguments if not a.startswith("-"))
        seconds = self._times.answer_s if word == "ls-remote" else self._times.fetch_s
        try:
            return await run_git(
                *arguments,
                folder=self._folder,
                config=self._config,
                seconds=seconds,
                more=more,
                held=held,
            )
        except TimeoutError:
            raise SourceUnreachable(self._shown, f"git {word} did not end within {seconds:g} s") from None
        except ProgramMissing as missing:
            raise SourceUnreachable(self._shown, str(missing)) from None


class _Damaged(Exception):
    """The mirror on disk, not the repository, is what fails."""


async def _remove(*folders: Path) -> None:
    for folder in folders:
        if folder.exists():
            await asyncio.to_thread(shutil.rmtree, folder)


def _time(seconds: str) -> datetime:
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):  # a commit may claim any time
        return datetime.fromtimestamp(0, UTC)
