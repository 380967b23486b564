"""An agent's mirrors: bare repositories whose objects its workspaces borrow, so that what was fetched once is there."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from tailrace.domain.address import folder_name
from tailrace.runner.shared import Shared
from tailrace.runner.trees import empty_tree, give_to_owner

PACKS = 40
"""So many packs slow every look down: then they become one."""
_OF_KEPT = ("index", "modules")
"""What of a kept workspace's `.git` serves the next attempt: which files are unchanged, and the submodules' repositories."""


class Mirror(Shared):
    """The mirror of one repository, shared by the attempts of this machine that check it out. `folder` holds all mirrors."""

    def __init__(self, folder: Path, repository: str) -> None:
        super().__init__(folder, folder_name(repository), ".git")

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

    def lend(self, workspace: Path, url: str) -> None:
        """Make a repository in `workspace` that borrows this mirror's objects and knows `url` as its origin.

        One that an earlier attempt left there makes room, but for its index.
        """
        git = workspace / ".git"
        empty_tree(git, but=_OF_KEPT)
        for folder in ("objects/info", "refs/heads", "refs/tags"):
            (git / folder).mkdir(parents=True, exist_ok=True)
        (git / "HEAD").write_text("ref: refs/heads/main\n", encoding="ascii")
        quoted = url.replace("\\", "\\\\").replace('"', '\\"')
        (git / "config").write_text(
            "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n\tlogallrefupdates = true\n"
            f'[remote "origin"]\n\turl = "{quoted}"\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n',
            encoding="utf-8",
        )
        (git / "objects/info/alternates").write_text(f"{self.path}/objects\n", encoding="utf-8")
        with suppress(FileNotFoundError):
            (git / "shallow").write_bytes((self.path / "shallow").read_bytes())
        give_to_owner(workspace)

    def unlock(self) -> None:
        """Remove locks of a git that was killed."""
        for name in ("shallow.lock", "packed-refs.lock", "HEAD.lock", "config.lock"):
            (self.path / name).unlink(missing_ok=True)
