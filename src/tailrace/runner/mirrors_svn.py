"""An agent's mirrors of Subversion's folders: working copies that nobody works in, copied into workspaces."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from tailrace.domain.address import folder_name
from tailrace.runner.shared import Shared


class SvnMirror(Shared):
    """The mirror of one folder of a repository; `address` names both. `folder` holds all mirrors.

    `opened_by` as of git's.
    """

    def __init__(self, folder: Path, address: str, opened_by: str = "") -> None:
        name = folder_name(address, opened_by)
        super().__init__(folder, name, ".svn")
        self._at = folder / f"{name}.at"

    @property
    def made(self) -> bool:
        """Whether there is a working copy, whole or not."""
        return (self.path / ".svn").is_dir()

    @property
    def at(self) -> str | None:
        """The revision that the working copy has, wholly; None while it is changed, and when a change was cut short."""
        with suppress(OSError):
            if self.made:
                return self._at.read_text(encoding="ascii")
        return None

    def begin(self) -> None:
        """The working copy is about to be changed."""
        self._at.unlink(missing_ok=True)

    def end(self, revision: str) -> None:
        """It was changed, and is at this revision now."""
        self._at.write_text(revision, encoding="ascii")
