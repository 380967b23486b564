from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tailrace.domain.errors import Conflict, Invalid
from tailrace.domain.lease import Lease
from tailrace.domain.plan import JobSpec
from tailrace.runner.folder import AttemptFolder

LEASE = Lease(
    attempt=7, number=1, cookie="ab12", log=1, run=1, run_number=1, project="p", plan="q", repository="/r",
    job=JobSpec(name="test"),
)  # fmt: skip


def test_a_folder_holds_its_lease_for_its_owner_alone(tmp_path: Path) -> None:
    """The lease comes back as it was given; nobody else may read it; the name tells attempt and cookie."""
    folder = AttemptFolder.create(tmp_path / "attempts", LEASE)
    assert folder.path.name == "7-ab12"
    assert folder.cookie == "ab12"
    assert folder.lease() == LEASE
    assert folder.lease_file.stat().st_mode & 0o777 == 0o600
    assert folder.path.stat().st_mode & 0o077 == 0


def test_a_folder_is_made_once(tmp_path: Path) -> None:
    """The second time is refused and changes nothing."""
    first = AttemptFolder.create(tmp_path, LEASE)
    first.spool.write_bytes(b"kept")
    with pytest.raises(Conflict, match="attempt 7 already has a folder"):
        AttemptFolder.create(tmp_path, LEASE)
    assert os.listdir(tmp_path) == ["7-ab12"]
    assert first.spool.read_bytes() == b"kept"


def test_what_a_crash_left_is_no_attempt(tmp_path: Path) -> None:
    """Half made and half removed folders are passed over and removed."""
    assert AttemptFolder.all(tmp_path / "none") == []
    for name in (".new-xyz", ".old-3-cd"):
        (tmp_path / name / "workspace").mkdir(parents=True)
    whole = AttemptFolder.create(tmp_path, LEASE)
    assert AttemptFolder.all(tmp_path) == [whole]
    assert os.listdir(tmp_path) == ["7-ab12"]


def test_a_folder_without_a_usable_lease_says_so(tmp_path: Path) -> None:
    """The error names the folder and what is wrong."""
    folder = AttemptFolder.create(tmp_path, LEASE)
    folder.lease_file.write_text('{"attempt": 1')
    with pytest.raises(Invalid, match="7-ab12 has no usable lease"):
        folder.lease()


def test_liveness_is_the_lock(tmp_path: Path) -> None:
    """Alive exactly while the lock is held; a probe does not hold it; nobody takes it twice."""
    folder = AttemptFolder.create(tmp_path, LEASE)
    assert not folder.is_alive()
    with folder.take_lock():
        assert folder.is_alive()
        with pytest.raises(Conflict, match="a living runner carries it"):
            folder.take_lock(patience_s=0.01)
    assert not folder.is_alive()
    folder.take_lock().release()


def test_read_only_folders_are_removed(tmp_path: Path) -> None:
    """A job may leave folders without any rights; an ordinary user's agent removes them all the same."""
    if os.geteuid() != 0:
        folder = AttemptFolder.create(tmp_path, LEASE)
        _fill(folder.workspace)
        folder.remove()
        assert not folder.path.exists()
        return
    place = Path(tempfile.mkdtemp())  # root may do everything anyhow: another user must
    try:
        folder = AttemptFolder.create(place, LEASE)
        _fill(folder.workspace)
        for name in (place, *place.rglob("*")):
            os.lchown(name, 65534, 65534)  # not what a link names
        code = (
            "import os, sys; from pathlib import Path; from tailrace.runner.folder import AttemptFolder;"
            "os.setgid(65534); os.setuid(65534); AttemptFolder(Path(sys.argv[1])).remove()"
        )
        done = subprocess.run((sys.executable, "-c", code, str(folder.path)), check=False)
        assert done.returncode == 0
        assert os.listdir(place) == []
    finally:
        shutil.rmtree(place)


def _fill(workspace: Path) -> None:
    deep = workspace / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "file").write_text("x")
    (workspace / "link").symlink_to(workspace.parent / "spool")
    deep.chmod(0o500)
    deep.parent.chmod(0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files that belong to others")
def test_what_belongs_to_others_is_named(tmp_path: Path) -> None:
    """What cannot be removed is named with its path, and everything else is gone."""
    place = Path(tempfile.mkdtemp())
    try:
        folder = AttemptFolder.create(place, LEASE)
        theirs = folder.workspace / "theirs"
        theirs.mkdir()
        (theirs / "file").write_text("x")
        for path in (place, folder.path, folder.workspace):
            os.chown(path, 65534, 65534)
        code = (
            "import os, sys; from pathlib import Path; from tailrace.runner.folder import AttemptFolder;"
            "os.setgid(65534); os.setuid(65534); AttemptFolder(Path(sys.argv[1])).remove()"
        )
        done = subprocess.run(
            (sys.executable, "-c", code, str(folder.path)), check=False, capture_output=True, text=True
        )
        assert done.returncode == 1
        assert "Undeletable" in done.stderr
        assert "theirs/file belongs to another user" in done.stderr
    finally:
        shutil.rmtree(place)
