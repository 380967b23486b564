"""A folder outside, which links lead to and nothing may touch."""

from __future__ import annotations

import hashlib
from pathlib import Path


class Decoy:
    """Made under a test's own folder: what follows a link by mistake does its harm there and nowhere else."""

    def __init__(self, place: Path) -> None:
        self.path = place / "decoy"
        (self.path / "inner").mkdir(parents=True)
        for name in ("file", "HEAD", "index", "config", "inner/file", "inner/other"):
            (self.path / name).write_text("dear\n")
        self.path.chmod(0o755)
        (self.path / "inner").chmod(0o555)
        self._before = self._state()

    def __str__(self) -> str:
        return str(self.path)

    @property
    def untouched(self) -> bool:
        """Whether names, contents, owners, rights and times are what they were."""
        return self._state() == self._before

    def _state(self) -> dict[str, tuple[object, ...]]:
        state: dict[str, tuple[object, ...]] = {}
        for path in (self.path, *sorted(self.path.rglob("*"))):
            told = path.lstat()
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            state[str(path)] = (told.st_mode, told.st_uid, told.st_mtime_ns, content)
        return state
