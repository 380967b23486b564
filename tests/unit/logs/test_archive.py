"""The archive: what is put there is there for good, and one that is away says so."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from tailrace.domain.errors import ArchiveAway, Invalid
from tailrace.logs.archive import MARK, Archive, ObjectMissing

DATA = b"0123456789" * 1000
SHA = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "archive"


@pytest.fixture
def archive(folder: Path) -> Archive:
    archive = Archive(f"file://{folder}")
    archive.check(begin=True)
    return archive


def test_what_was_put_is_read_by_range(archive: Archive, folder: Path) -> None:
    """Ranges end where the object does; no draft is left beside it."""
    archive.put("0/7/00000-a.zst", DATA, SHA)
    assert archive.read("0/7/00000-a.zst", 5, 12) == b"5678901"
    assert archive.read("0/7/00000-a.zst", 9_995, 20_000) == b"56789"
    assert archive.sha256("0/7/00000-a.zst") == SHA
    assert [path.name for path in (folder / "0" / "7").iterdir()] == ["00000-a.zst"]


def test_a_missing_object_is_told_from_a_missing_archive(archive: Archive, folder: Path) -> None:
    """The mark decides: without it nothing can be said about an object."""
    with pytest.raises(ObjectMissing, match="no object 0/7/x"):
        archive.read("0/7/x", 0, 1)
    (folder / MARK).unlink()
    with pytest.raises(ArchiveAway, match="not mounted"):
        archive.read("0/7/x", 0, 1)


def test_the_empty_folder_below_an_unmounted_archive_is_not_taken_for_it(
    archive: Archive, folder: Path
) -> None:
    """What is put there is refused, and refused again by what is found to be there afterwards."""
    (folder / MARK).unlink()
    with pytest.raises(ArchiveAway):
        archive.check(begin=False)
    with pytest.raises(ArchiveAway, match="it is not mounted, or it is another one"):
        archive.put("0/7/a", DATA, SHA)
    archive.check(begin=True)
    archive.put("0/7/a", DATA, SHA)


def test_a_full_disk_is_an_archive_that_is_away(folder: Path) -> None:
    """/dev/full refuses every byte: the error names the cause, and no draft stays."""
    archive = Archive(f"file://{folder}")
    archive.check(begin=True)
    (folder / "0").mkdir()

    class Full(Archive):
        def _write(self, key: str, data: bytes) -> None:
            super()._write(key, data) if key == MARK else Path("/dev/full").write_bytes(data)

    with pytest.raises(ArchiveAway, match="No space left on device"):
        Full(f"file://{folder}").put("0/7/a", DATA, SHA)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_away(archive: Archive, folder: Path) -> None:
    """The cause is in the error."""
    folder.chmod(0o500)
    with pytest.raises(ArchiveAway, match="Permission denied"):
        archive.put("0/7/a", DATA, SHA)
    folder.chmod(0o700)


def test_a_file_where_a_folder_should_be_is_away_and_leaves_no_draft(archive: Archive, folder: Path) -> None:
    """Whatever is in the way: the archive cannot be written, and says so."""
    (folder / "0").write_text("in the way")
    with pytest.raises(ArchiveAway):
        archive.put("0/7/a", DATA, SHA)
    assert sorted(path.name for path in folder.iterdir()) == ["0", MARK]


def test_what_came_back_different_does_not_count(archive: Archive) -> None:
    """put compares what it reads back with what it was given."""
    with pytest.raises(ArchiveAway, match="came back different"):
        archive.put("0/7/a", DATA, hashlib.sha256(b"other").hexdigest())


def test_removing_twice_is_no_error(archive: Archive) -> None:
    """A sweep that was interrupted begins again."""
    archive.put("0/7/a", DATA, SHA)
    archive.remove(["0/7/a"])
    archive.remove(["0/7/a", "never/there"])
    with pytest.raises(ObjectMissing):
        archive.read("0/7/a", 0, 1)


def test_any_file_system_of_fsspec_will_do() -> None:
    """Nothing in it is about folders: an object store in memory keeps the same contract."""
    archive = Archive("memory://bucket/tailrace")
    archive.check(begin=True)
    archive.put("0/7/a", DATA, SHA)
    assert archive.read("0/7/a", 5, 8) == b"567"
    with pytest.raises(ObjectMissing):
        archive.read("0/7/b", 0, 1)
    archive.remove(["0/7/a", "0/7/a"])


def test_an_address_that_nobody_knows_is_refused_with_what_is_allowed() -> None:
    """And without the password that it may hold."""
    with pytest.raises(
        Invalid, match=r"archive_url \(TAILRACE_ARCHIVE_URL\): nothing://host/x cannot be used.*file://"
    ):
        Archive("nothing://user:secret@host/x")


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_an_object_is_written_block_by_block(tmp_path: Path, kind: str) -> None:
    """In a folder and in what is none; it is read back when it ends, and what was discarded was never there."""
    archive = Archive(f"file://{tmp_path}/archive" if kind == "file" else "memory://archive")
    archive.check(begin=True)
    writer = archive.begin("artifacts/1/a")
    for start in range(0, len(DATA), 3000):
        writer.write(DATA[start : start + 3000])
    if kind == "file":
        with pytest.raises(ObjectMissing):
            archive.read("artifacts/1/a", 0, 1)
    archive.end(writer)
    writer.discard()
    assert (writer.size, writer.sha256, archive.sha256("artifacts/1/a")) == (len(DATA), SHA, SHA)
    if kind == "file":  # a store of the memory shows what is being written
        other = archive.begin("artifacts/1/b")
        other.write(DATA)
        other.discard()
        with pytest.raises(ObjectMissing):
            archive.read("artifacts/1/b", 0, 1)
        assert [path.name for path in (tmp_path / "archive" / "artifacts" / "1").iterdir()] == ["a"]


def test_an_object_that_changed_on_its_way_is_not_kept(archive: Archive, folder: Path) -> None:
    writer = archive.begin("artifacts/1/a")
    writer.write(DATA)
    (folder / "artifacts" / "1" / "a.part").write_bytes(b"other")
    with pytest.raises(ArchiveAway, match="came back different"):
        archive.end(writer)
