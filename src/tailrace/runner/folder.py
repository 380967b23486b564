"""An attempt's folder on its agent's machine: everything that agent and runner know of each other."""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from tailrace.domain.errors import Conflict, Invalid
from tailrace.domain.lease import Lease
from tailrace.runner.boot import this_boot
from tailrace.runner.freed import MARK_BYTES
from tailrace.runner.trees import Undeletable, remove_tree

LOCK_PATIENCE_S = 2.0
"""How long a lock is tried for: a probe by `is_alive` holds it for microseconds."""

_KEPT_NAME = re.compile(r"[A-Za-z0-9_.-]+-[0-9]+")


class RunnerLock:
    """The lock that a runner holds while it lives; passes to a forked child with its file descriptor."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def sign(self) -> None:
        """Note this process's id in the lock's file, for people, and the machine's boot; liveness is the lock alone."""
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, f"{os.getpid()}\n{this_boot()}\n".encode(), 0)

    def release(self) -> None:
        """Close this process's hold; the lock ends when every process that shares it has closed it."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


@dataclass(frozen=True)
class AttemptFolder:
    """One attempt's folder; see the properties for what it holds. Its name is the lease's `folder`."""

    path: Path

    @property
    def lease_file(self) -> Path:
        return self.path / "lease.json"

    @property
    def lock(self) -> Path:
        """Locked (flock) by the runner while it lives."""
        return self.path / "lock"

    @property
    def spool(self) -> Path:
        """The log's bytes."""
        return self.path / "spool"

    @property
    def spans(self) -> Path:
        """The log's spans, see `tailrace.domain.spans`."""
        return self.path / "spans"

    @property
    def freed(self) -> Path:
        """How much of the spool's beginning the agent has freed, see `tailrace.runner.freed`."""
        return self.path / "freed"

    @property
    def journal(self) -> Path:
        """The runner's facts, a line of JSON each."""
        return self.path / "journal"

    @property
    def command(self) -> Path:
        """The socket on which the runner takes commands."""
        return self.path / "command.sock"

    @property
    def groups(self) -> Path:
        """The paths of the control groups that the runner made for its processes, a line each."""
        return self.path / "groups"

    @property
    def errors(self) -> Path:
        """What the runner itself printed: nothing, unless it is broken."""
        return self.path / "runner.err"

    @property
    def workspace(self) -> Path:
        return self.path / "workspace"

    @property
    def user(self) -> int | None:
        """The id of the user to whom the workspace was given, None where it is this process's own or gone."""
        try:
            uid = self.workspace.stat().st_uid
        except OSError:
            return None
        return uid if uid != os.geteuid() else None

    @property
    def tmp(self) -> Path:
        return self.path / "tmp"

    @property
    def wake(self) -> Path:
        """The agent's datagram socket."""
        return self.path.parent.parent / "wake.sock"

    @property
    def mirrors(self) -> Path:
        """Where this machine's mirrors of repositories are, those of all attempts."""
        return self.path.parent.parent / "mirrors"

    @property
    def workspaces(self) -> Path:
        """Where workspaces are that jobs keep."""
        return self.path.parent.parent / "workspaces"

    @property
    def shelves(self) -> Path | None:
        """Where a run without a server keeps its jobs' artifacts, None where there is one."""
        place = self.path.parent.parent / "artifacts"
        return place if place.is_dir() else None

    @property
    def kept_name(self) -> Path:
        """The name that its workspace has in `workspaces`, where it works in one of those."""
        return self.path / "kept"

    @property
    def kept(self) -> Path | None:
        """The workspace in `workspaces` that the attempt works in, as the kernel names it; None where it works in its own.

        A link that the job put in its place is not followed.
        """
        try:
            name = self.kept_name.read_text(encoding="utf-8")
            folder = self.workspaces.resolve()
        except (OSError, ValueError):
            return None
        # A full disk, or a job, may have left anything there.
        return folder / name / "workspace" if _KEPT_NAME.fullmatch(name) else None

    @property
    def svn(self) -> Path:
        """What svn is told of the repository, while it is checked out."""
        return self.path / "svn"

    @property
    def cookie(self) -> str:
        """The attempt's cookie, from the folder's name: it must be known even when the lease cannot be read."""
        return self.path.name.partition("-")[2]

    @classmethod
    def create(cls, attempts: Path, lease: Lease) -> AttemptFolder:
        """Make the folder of a new attempt, whole or not at all; raises Conflict when it exists.

        Unfinished folders have names that begin with a dot, which `all` passes over.
        """
        attempts.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=".new-", dir=attempts))
        try:
            half = cls(unfinished)
            half.workspace.mkdir()
            half.tmp.mkdir()
            fd = os.open(half.lease_file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "w", encoding="utf-8") as file:
                file.write(lease.model_dump_json())
            half.freed.write_bytes(
                bytes(MARK_BYTES)
            )  # its room is taken now: a full disk is when it is needed
            whole = attempts / lease.folder
            unfinished.rename(whole)
        except OSError as error:
            remove_tree(unfinished)
            if (attempts / lease.folder).exists():
                raise Conflict(f"attempt {lease.attempt} already has a folder, {lease.folder}") from error
            raise
        return cls(whole)

    @classmethod
    def all(cls, attempts: Path) -> list[AttemptFolder]:
        """The attempts that an agent holds, by name; leavings of a crash in `create` or `remove` are removed."""
        if not attempts.exists():
            return []
        found: list[AttemptFolder] = []
        for path in sorted(attempts.iterdir()):
            if path.name.startswith((".new-", ".old-")):
                try:
                    remove_tree(path)
                except Undeletable:
                    continue  # said when its attempt was removed
            elif path.is_dir() and not path.is_symlink():
                found.append(cls(path))
        return found

    def lease(self) -> Lease:
        """What to do; raises Invalid when the file cannot be read as a lease."""
        try:
            return Lease.model_validate_json(self.lease_file.read_bytes())
        except OSError as error:
            raise Invalid(f"attempt folder {self.path.name} has no usable lease: {error}") from error
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"])) or "the whole file"
            raise Invalid(
                f"attempt folder {self.path.name} has no usable lease: {place}: {first['msg']}"
            ) from error

    def is_alive(self) -> bool:
        """Whether a runner holds the lock."""
        try:
            fd = os.open(self.lock, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        return False

    def take_lock(self, patience_s: float = LOCK_PATIENCE_S) -> RunnerLock:
        """Hold the lock; raises Conflict when a runner has it, FileNotFoundError when the folder is gone."""
        fd = os.open(self.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + patience_s
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return RunnerLock(fd)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    os.close(fd)
                    raise Conflict(f"attempt folder {self.path.name}: a living runner carries it") from None
                time.sleep(0.002)

    def signed_pid(self) -> int | None:
        """The process that signed the lock, if one did."""
        try:
            return int(self.lock.read_text(encoding="ascii").partition("\n")[0])
        except (OSError, ValueError):
            return None

    def outlived_by_machine(self) -> bool:
        """Whether the machine was restarted since a runner signed the lock."""
        try:
            _pid, boot, *_ = self.lock.read_text(encoding="ascii").split("\n")
        except (OSError, ValueError):
            return False
        return boot not in ("", this_boot())

    def remove(self) -> None:
        """Remove the folder with all it holds; raises Undeletable when something in it belongs to others.

        It takes a name that `all` passes over first, so that a crash leaves no half attempt.
        """
        old = self.path.parent / f".old-{self.path.name}"
        try:
            self.path.rename(old)
        except FileNotFoundError:
            return
        remove_tree(old)
