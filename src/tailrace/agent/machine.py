"""What this machine is, what it has, and how busy it is."""

from __future__ import annotations

import os
import platform
import re
import shutil
import socket
import subprocess
from pathlib import Path

import psutil

from tailrace.agent.labels import machine_labels
from tailrace.domain.report import Load, MachineReport

_PATIENCE_S = 5.0
_VERSIONS: dict[str, tuple[str, ...]] = {
    "git": ("git", "--version"),
    "svn": ("svn", "--version", "--quiet"),
    "buildah": ("buildah", "--version"),
    "podman": ("podman", "--version"),
    "systemd": ("systemctl", "--version"),
}
_NUMBER = re.compile(r"\d+(?:\.\d+)*\S*")


def describe(folder: Path) -> MachineReport:
    """This machine, with the versions of the tools that labels name; `folder` is on the disk that counts.

    Starts each tool once, so it takes as long as they do.
    """
    labels = machine_labels()
    tools = {label: _version(command) for label, command in _VERSIONS.items() if label in labels}
    tools |= {label: label.removeprefix("python") for label in labels if label.startswith("python3.")}
    return MachineReport(
        hostname=socket.gethostname()[:200],
        system=_system(),
        architecture=platform.machine(),
        processors=os.cpu_count() or 0,
        memory=psutil.virtual_memory().total,
        disk=shutil.disk_usage(folder).total,
        tools=tools,
    )


def load(folder: Path) -> Load:
    """How busy it is now; `folder` is on the disk that counts."""
    return Load(
        waiting=round(os.getloadavg()[0], 2),
        memory_free=psutil.virtual_memory().available,
        disk_free=shutil.disk_usage(folder).free,
    )


def _system() -> str:
    try:
        name = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        name = platform.system()
    return f"{name}, {platform.system()} {platform.release()}"[:200]


def _version(command: tuple[str, ...]) -> str:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE_S,
            check=False,
            text=True,
            errors="replace",
        )
    except (OSError, subprocess.TimeoutExpired):
        return "does not answer"
    found = _NUMBER.search(done.stdout)
    return found[0][:200] if found and done.returncode == 0 else "does not answer"
