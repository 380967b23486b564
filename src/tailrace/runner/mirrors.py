"""An agent's mirrors: bare repositories whose objects its workspaces borrow, so that what was fetched once is there."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from tailrace.domain.address import folder_name
from tailrace.runner.inventory import Kept, read_kept
from tailrace.runner.shared import Shared
from tailrace.runner.trees import give_to_owner, opened, remove_tree, write_new

PACKS = 40
"""So many packs slow every look down: then they become one."""


class Mirror(Shared):
    """The mirror of one repository, shared by the attempts of this machine that check it out. `folder` holds all mirrors.

    `opened_by` tells it from the same repository as jobs get it that have another secret for it, or none.
    """

    def __init__(self, folder: Path, repository: str, opened_by: str = "") -> None:
        super().__init__(folder, folder_name(repository, opened_by), ".git")

    @property
    def made(self) -> bool:
        """Whether there is a repository."""
        return (self.path / "HEAD").exists()

    @property
    def shallow(self) -> bool:
        """Whether some history is missing."""
        return (self.path / "shallow").exists()

    @property
    def scattered(self) -> bool:
        """Whether its objects lie in too many packs."""
        with suppress(OSError):
            return sum(name.endswith(".pack") for name in os.listdir(self.path / "objects" / "pack")) > PACKS
        return False

    def commit_at(self, ref: str) -> str:
        """What a ref of its own points at; raises OSError."""
        return (self.path / ref).read_text(encoding="ascii").strip()

    def lend(self, workspace: Path, url: str, index: Kept | None = None) -> None:
        """Make a repository in `workspace` that borrows this mirror's objects and knows `url` as its origin.

        Of one that is there nothing stays: a job may have changed its settings, and put links anywhere. `index` tells which files
        of the workspace are as a checkout left them. Raises Undeletable, OSError.
        """
        remove_tree(workspace / ".git")
        quoted = url.replace("\\", "\\\\").replace('"', '\\"')
        config = (
            "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n\tlogallrefupdates = true\n"
            f'[remote "origin"]\n\turl = "{quoted}"\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n'
        )
        with opened(workspace) as place:
            os.mkdir(".git", dir_fd=place)
            with opened(".git", place) as git:
                for folder in ("objects", "objects/info", "refs", "refs/heads", "refs/tags"):
                    os.mkdir(folder, dir_fd=git)
                write_new(git, "HEAD", b"ref: refs/heads/main\n")
                write_new(git, "config", config.encode("utf-8", "surrogateescape"))
                write_new(git, "objects/info/alternates", os.fsencode(f"{self.path}/objects\n"))
                with suppress(FileNotFoundError):
                    write_new(git, "shallow", (self.path / "shallow").read_bytes())
                if index is not None:
                    write_new(git, "index", index.content)
                    os.utime("index", ns=(index.time_ns, index.time_ns), dir_fd=git, follow_symlinks=False)
        give_to_owner(workspace)

    def index_of(self, workspace: Path) -> Kept:
        """The index of the repository that was lent, before a job had it; raises OSError."""
        with opened(workspace) as place, opened(".git", place) as git:
            return read_kept("index", git)

    def unlock(self) -> None:
        """Remove locks of a git that was killed."""
        for name in ("shallow.lock", "packed-refs.lock", "HEAD.lock", "config.lock"):
            (self.path / name).unlink(missing_ok=True)
