"""Processes whose attempt is gone are ended; those of other attempts, and of other agents, are nobody's business."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tailrace.runner.strays import end_strays


def _sleeper(workspace: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(("sleep", "1000"), env={"TAILRACE_WORKSPACE": str(workspace)})


def test_a_process_whose_attempt_is_gone_is_ended(tmp_path: Path) -> None:
    attempts = tmp_path / "attempts"
    (attempts / "1-a" / "workspace").mkdir(parents=True)
    held = _sleeper(attempts / "1-a" / "workspace")
    stray = _sleeper(attempts / "2-b" / "workspace")
    elsewhere = _sleeper(tmp_path / "others" / "2-b" / "workspace")
    try:
        assert end_strays(attempts) == [stray.pid]
        assert stray.wait() == -9
        assert held.poll() is None
        assert elsewhere.poll() is None
    finally:
        for process in (held, stray, elsewhere):
            process.kill()
            process.wait()
