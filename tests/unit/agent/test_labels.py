from __future__ import annotations

import sys
from pathlib import Path

from tailrace.agent.labels import machine_labels


def test_a_machine_tells_its_tools(tmp_path: Path) -> None:
    """What can be executed counts, under the name that jobs ask for."""
    for name in ("git", "systemctl", "python3.9", "python3.12", "python3-config"):
        (tmp_path / name).touch(mode=0o755)
    (tmp_path / "podman").touch(mode=0o644)
    labels = machine_labels(str(tmp_path))
    assert {"git", "systemd", "python3.9", "python3.12", sys.platform} <= set(labels)
    assert not {"podman", "svn", "systemctl", "python3-config"} & set(labels)
    assert list(labels) == sorted(labels)


def test_a_path_with_missing_folders_is_no_trouble(tmp_path: Path) -> None:
    """Many machines have one."""
    assert sys.platform in machine_labels(f"{tmp_path}/missing::")
