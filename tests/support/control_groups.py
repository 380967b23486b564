"""What tests of control groups need of the machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tailrace.runner.cgroup import ControlGroups, name_for
from tailrace.runner.leaf import folders_in


def need_limits(folder: Path) -> ControlGroups:
    """Control groups in which every limit can be set; `folder` stands for an agent's.

    Where this machine has none the calling test is skipped, or fails when TAILRACE_REQUIRE_SERVICES=1 says that it has all.
    """
    groups = ControlGroups.find(folder)
    if not groups.missing:
        return groups
    groups.leave()
    reason = f"no limit of {', '.join(groups.missing)} can be set: {next(iter(groups.missing.values()))}"
    if os.environ.get("TAILRACE_REQUIRE_SERVICES") == "1":
        pytest.fail(f"{reason}, and TAILRACE_REQUIRE_SERVICES=1 forbids to skip", pytrace=False)
    pytest.skip(reason)


def left_of(folder: Path) -> list[Path]:
    """The groups of attempts that are still there for an agent's folder."""
    found = [Path(place) for place, names, _ in os.walk("/sys/fs/cgroup") if name_for(folder) in names]
    return [path for place in found for path in folders_in(place / name_for(folder))]
