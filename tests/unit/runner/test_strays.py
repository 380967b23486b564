"""Processes whose attempt is gone are ended; those of other attempts, and of other agents, are nobody's business."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tailrace.runner.strays import end_strays


def _sleeper(workspace: Path, output: Path | None = None) -> subprocess.Popen[bytes]:
    env = {"TAILRACE_WORKSPACE": str(workspace), "TAILRACE_OUTPUT": str(output or workspace)}
    return subprocess.Popen(("sleep", "1000"), env=env)


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


def test_one_that_works_in_a_kept_workspace_is_its_attempt_s(tmp_path: Path) -> None:
    """The workspace stays when the attempt goes, and is the next one's."""
    attempts, kept = tmp_path / "attempts", tmp_path / "workspaces" / "acme-test-0-1" / "workspace"
    (attempts / "1-a").mkdir(parents=True)
    kept.mkdir(parents=True)
    held = _sleeper(kept, attempts / "1-a" / "tmp" / "output-0")
    stray = _sleeper(kept, attempts / "2-b" / "tmp" / "output-0")
    elsewhere = _sleeper(kept, tmp_path / "others" / "2-b" / "tmp" / "output-0")
    try:
        assert end_strays(attempts) == [stray.pid]
        assert stray.wait() == -9
        assert held.poll() is None
        assert elsewhere.poll() is None
    finally:
        for process in (held, stray, elsewhere):
            process.kill()
            process.wait()
