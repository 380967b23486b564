"""The machines that ssh believes on this one, where an ssh that could not read their files is to believe them too."""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

_OF_ALL = (Path("/etc/ssh/ssh_known_hosts"), Path("/etc/ssh/ssh_known_hosts2"))


class KnownHosts:
    """Those that the agent has believed beside its mirrors, at `path`, and those of the `others`: the machine's own files."""

    def __init__(self, mirrors: Path, others: Sequence[Path] | None = None) -> None:
        self.path = mirrors / "known_hosts"
        self._others = _own() if others is None else others

    def read(self) -> bytes:
        """What there is of them by now, as one file."""
        found: list[bytes] = []
        for file in (self.path, *self._others):
            with suppress(OSError):
                found.append(file.read_bytes().rstrip(b"\n"))
        return b"".join(lines + b"\n" for lines in found if lines)


def _own() -> tuple[Path, ...]:
    try:
        home = pwd.getpwuid(os.geteuid()).pw_dir  # ssh asks this, and not HOME
    except KeyError:
        return _OF_ALL
    return (Path(home) / ".ssh" / "known_hosts", *_OF_ALL)
