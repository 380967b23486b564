"""What this machine is and has, as labels that jobs can ask for."""

from __future__ import annotations

import os
import platform
import re
import shutil
import socket
import sys
from collections.abc import Iterable
from pathlib import Path

_TOOLS = {"git": "git", "svn": "svn", "buildah": "buildah", "podman": "podman", "systemctl": "systemd"}
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/=+@-]{0,99}")
_PYTHON = re.compile(r"python3\.\d+")


def machine_labels(path: str | None = None) -> tuple[str, ...]:
    """Operating system, processor, host name, and the tools found in `path` (default: `PATH`), sorted.

    Tools: git, svn, buildah, podman, systemd, and each `python3.N`.
    """
    path = os.environ.get("PATH", os.defpath) if path is None else path
    found = {sys.platform, platform.machine(), socket.gethostname()}
    found.update(label for tool, label in _TOOLS.items() if shutil.which(tool, path=path))
    found.update(_pythons(path.split(os.pathsep)))
    return tuple(sorted(label for label in found if _LABEL.fullmatch(label)))


def _pythons(folders: Iterable[str]) -> Iterable[str]:
    for folder in folders:
        try:
            names = [entry.name for entry in Path(folder or ".").iterdir()]
        except OSError:
            continue
        yield from (name for name in names if _PYTHON.fullmatch(name) and shutil.which(name, path=folder))
