"""The machines that an ssh believes which is given them in memory."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tailrace.runner.known_hosts import KnownHosts

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2ZBpVBZwNDZ5b0wpb3dFZpX2vTDqWaD2jXdqGm2nQx"


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")
def test_the_machine_s_own_count_beside_the_agent_s(tmp_path: Path) -> None:
    """Whom the checkout itself believes by them would else be refused for a submodule on the same machine."""
    mirrors, own, of_all = tmp_path / "mirrors", tmp_path / "own", tmp_path / "of_all"
    mirrors.mkdir()
    known = KnownHosts(mirrors, (own, tmp_path / "none", of_all))
    assert known.read() == b""
    own.write_text(f"own.example {KEY}")  # without the end of its line
    of_all.write_text(f"all.example {KEY}\n\n")
    (mirrors / "known_hosts").write_text(f"believed.example {KEY}\n")
    together = tmp_path / "together"
    together.write_bytes(known.read())
    for host in ("believed.example", "own.example", "all.example"):
        found = subprocess.run(["ssh-keygen", "-F", host, "-f", str(together)], capture_output=True)
        assert KEY.encode() in found.stdout, host
