"""What a local run checks out: the files of a folder as they are now, committed or not, as a commit in a mirror.

Nothing is written into the repository itself. Its objects are borrowed, so that a large one costs no copy.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tailrace.domain.errors import Invalid, NotFound
from tailrace.runner.mirrors import Mirror

_IDENTITY = {
    f"GIT_{who}_{what}": text
    for who in ("AUTHOR", "COMMITTER")
    for what, text in (("NAME", "tailrace exec"), ("EMAIL", "exec@localhost"))
}
_OPTIONS = ("-c", "core.fsmonitor=false", "-c", "core.safecrlf=false", "-c", "gc.auto=0")


@dataclass(frozen=True)
class Sources:
    """What a checkout gets: `revision` of `repository`; `uncommitted` when that holds changes that no commit of it has."""

    repository: str
    revision: str | None = None
    ref: str | None = None
    branch: str | None = None
    uncommitted: bool = False


class SnapshotFailed(Invalid):
    """The folder's files cannot be checked out; the text says why."""


def find_sources(folder: Path) -> Sources:
    """What the folder's repository is at, without its files: for jobs that check out nothing."""
    with suppress(OSError, SnapshotFailed):
        repository = _Repository.of(folder)
        if repository is not None:
            return repository.at(repository.head)
    return Sources(str(folder))


def take_snapshot(folder: Path, mirrors: Path, revision: str | None = None) -> Sources:
    """Put into a mirror in `mirrors` what the repository around `folder` has now, or the `revision` that is named.

    New files are in it, ignored ones are not. A folder outside of any repository is taken as it is. Blocks as long as git takes to
    look at every file. Raises NotFound for a revision that there is not, SnapshotFailed.
    """
    if shutil.which("git") is None:
        raise SnapshotFailed(
            f"the plan checks out {folder}, and there is no git on this machine:"
            " install it, or give the jobs `checkout: false`"
        )
    repository = _Repository.of(folder)
    if repository is None:
        if revision is not None:
            raise NotFound("revision", f"{revision!r}: {folder} is in no git repository")
        return _snapshot_plain(folder, mirrors)
    mirror = Mirror(mirrors, str(repository.top)).path
    _borrow(repository, mirror)
    if revision is not None:
        commit = repository.commit_of(revision)
        if commit is None:
            raise NotFound("revision", f"{revision!r} in {repository.top}")
        return Sources(str(repository.top), commit)
    index = mirror / "snapshot.index"
    with suppress(FileNotFoundError):  # what git knows of unchanged files, it need not read again
        shutil.copy2(repository.path("index"), index)
    env = {
        "GIT_INDEX_FILE": str(index),
        "GIT_OBJECT_DIRECTORY": str(mirror / "objects"),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(repository.path("objects")),
    }
    commit = _commit_all(repository.top, env, repository.head)
    index.unlink(missing_ok=True)
    return repository.at(commit)


@dataclass(frozen=True)
class _Repository:
    """A repository with files; `head` is its commit, None before the first."""

    top: Path
    head: str | None
    ref: str | None

    @classmethod
    def of(cls, folder: Path) -> _Repository | None:
        """The one around `folder`; None where there is none. Raises SnapshotFailed when git refuses it."""
        found = _git(folder, "rev-parse", "--show-toplevel")
        if found.returncode != 0:
            if b"not a git repository" in found.stderr:
                return None
            raise _failed(folder, found)
        top = Path(os.fsdecode(found.stdout.removesuffix(b"\n")))
        head = _git(top, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        ref = _git(top, "symbolic-ref", "--quiet", "HEAD")
        return cls(top, _text(head) or None, _text(ref) or None)

    def at(self, commit: str | None) -> Sources:
        branch = self.ref.removeprefix("refs/heads/") if self.ref else None
        return Sources(str(self.top), commit, self.ref, branch, uncommitted=commit != self.head)

    def commit_of(self, revision: str) -> str | None:
        if revision.startswith("-"):
            return None
        found = _git(self.top, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
        return _text(found) or None

    def path(self, name: str) -> Path:
        """Where it keeps this; a worktree shares most of that with others."""
        return self.top / os.fsdecode(_must(self.top, "rev-parse", "--git-path", name).removesuffix(b"\n"))


def _snapshot_plain(folder: Path, mirrors: Path) -> Sources:
    mirror = Mirror(mirrors, str(folder)).path
    _make(mirror)
    (mirror / "info").mkdir(exist_ok=True)
    (mirror / "info" / "exclude").write_text(".svn\n.hg\n", encoding="ascii")
    commit = _commit_all(folder, {"GIT_DIR": str(mirror), "GIT_WORK_TREE": str(folder)}, None)
    return Sources(str(folder), commit, uncommitted=True)


def _commit_all(top: Path, env: Mapping[str, str], head: str | None) -> str:
    """A commit of all files that are not ignored; `head` itself where nothing differs from it."""
    _must(top, "add", "--all", env=env)
    tree = _must(top, "write-tree", env=env).decode().strip()
    if head is not None and _must(top, "rev-parse", f"{head}^{{tree}}").decode().strip() == tree:
        return head
    parent = ("-p", head) if head else ()
    message = ("-m", "Files that are not committed")
    return _must(top, "commit-tree", tree, *parent, *message, env={**env, **_IDENTITY}).decode().strip()


def _borrow(repository: _Repository, mirror: Path) -> None:
    """An empty mirror with the repository's objects for its own."""
    _make(mirror)
    (mirror / "objects" / "info" / "alternates").write_bytes(os.fsencode(repository.path("objects")) + b"\n")
    with suppress(FileNotFoundError):
        shutil.copyfile(repository.path("shallow"), mirror / "shallow")


def _make(mirror: Path) -> None:
    mirror.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _must(mirror.parent, "init", "--quiet", "--bare", "--template=", str(mirror))


def _git(
    folder: Path, *arguments: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """git as its user would call it there, whatever git or hook called us."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(
        ("git", *_OPTIONS, *arguments),
        cwd=folder,
        env={**inherited, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )


def _must(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> bytes:
    done = _git(folder, *arguments, env=env)
    if done.returncode != 0:
        raise _failed(folder, done)
    return done.stdout


def _failed(folder: Path, done: subprocess.CompletedProcess[bytes]) -> SnapshotFailed:
    said = done.stderr.decode("utf-8", "replace").strip() or f"git ended with status {done.returncode}"
    return SnapshotFailed(f"cannot take the files of {folder}: {said}")


def _text(done: subprocess.CompletedProcess[bytes]) -> str:
    return done.stdout.decode().strip() if done.returncode == 0 else ""
