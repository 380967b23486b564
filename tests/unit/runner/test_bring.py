"""A folder that a job changed gets another one's files, and nothing outside of it is touched."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tailrace.runner.bring import bring
from tests.unit.runner.decoy import Decoy


@pytest.fixture
def source(tmp_path: Path) -> Path:
    made = tmp_path / "source"
    (made / "inner" / "deep").mkdir(parents=True)
    (made / "file").write_text("file")
    (made / "inner" / "file").write_text("inner")
    (made / "inner" / "deep" / "run").write_text("run")
    (made / "inner" / "deep" / "run").chmod(0o755)
    (made / "link").symlink_to("inner/file")
    return made


@pytest.fixture
def to(tmp_path: Path) -> Path:
    made = tmp_path / "to"
    made.mkdir()
    return made


Spoil = Callable[[Path, Path], None]


def never() -> bool:
    return False


ALL = {"file", "inner/", "inner/file", "inner/deep/", "inner/deep/run", "link"}


def state(folder: Path) -> dict[str, object]:
    return {
        str(path.relative_to(folder)): str(path.readlink())
        if path.is_symlink()
        else (path.read_bytes(), path.stat().st_mode, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def test_all_is_brought(source: Path, to: Path) -> None:
    """With rights and times; links as they are. The names of all are told."""
    names = bring(source, to, [], never)
    assert names is not None
    assert set(names) == ALL
    assert len(names) == len(ALL)
    assert state(to) == state(source)


def test_what_is_the_same_is_left(source: Path, to: Path) -> None:
    """And what is the folder's own; what only the last time's list names is removed."""
    before = bring(source, to, [], never)
    assert before is not None
    (to / "own").touch()
    (to / "inner" / "own").touch()
    inode = (to / "file").stat().st_ino
    (to / "inner" / "file").write_text("spoiled")
    (source / "link").unlink()
    (source / "inner" / "deep" / "run").unlink()
    (source / "inner" / "deep").rmdir()
    bring(source, to, before, never)
    assert (to / "file").stat().st_ino == inode
    assert {str(path.relative_to(to)) for path in to.rglob("*")} == {
        *("file", "inner", "inner/file", "inner/own", "own")
    }
    assert (to / "inner" / "file").read_text() == "inner"


def _closed(to: Path, decoy: Path) -> None:
    (to / "inner").mkdir()
    (to / "inner" / "link").symlink_to(decoy)
    (to / "inner").chmod(0)


def _folder_for_file(to: Path, decoy: Path) -> None:
    (to / "file").mkdir()
    (to / "file" / "x").symlink_to(decoy)


def _link_within(to: Path, decoy: Path) -> None:
    (to / "inner").mkdir()
    (to / "inner" / "deep").symlink_to(decoy / "inner")


def _linked(name: str, target: str) -> Spoil:
    return lambda to, decoy: (to / name).symlink_to(decoy / target)


def _hard_linked(to: Path, decoy: Path) -> None:
    os.link(decoy / "file", to / "file")


def _pipe(to: Path, _: Path) -> None:
    os.mkfifo(to / "inner")


@pytest.mark.parametrize(
    "spoil",
    [
        _linked("inner", "inner"),
        _linked("inner", "."),
        _linked("file", "file"),
        _linked("link", "inner"),
        _hard_linked,
        _folder_for_file,
        _link_within,
        _pipe,
        _closed,
    ],
)
def test_nothing_goes_through_a_link(source: Path, to: Path, tmp_path: Path, spoil: Spoil) -> None:
    """Nor through a hard link; what is in the way goes."""
    decoy = Decoy(tmp_path)
    spoil(to, decoy.path)
    assert bring(source, to, [], never) is not None
    assert decoy.untouched
    assert {name: told for name, told in state(to).items() if name != "inner/link"} == state(source)


def test_a_link_to_the_same_is_not_the_same(source: Path, to: Path, tmp_path: Path) -> None:
    """It is replaced by a file; the other stays as it is."""
    shutil.copytree(source, tmp_path / "like", symlinks=True)
    (to / "file").symlink_to(tmp_path / "like" / "file")
    os.link(tmp_path / "like" / "inner" / "file", to / "link")
    before = state(tmp_path / "like")
    bring(source, to, [], never)
    assert state(to) == state(source)
    assert state(tmp_path / "like") == before == state(source)
    (to / "file").unlink()
    os.link(tmp_path / "like" / "file", to / "file")
    bring(source, to, [], never)
    assert (to / "file").stat().st_nlink == 1


@pytest.mark.parametrize("name", ["inner/file", "inner/inner/file", "file", "inner/", "inner/inner/"])
def test_nothing_is_removed_through_a_link(source: Path, to: Path, tmp_path: Path, name: str) -> None:
    """Where a folder was that the list names, or above it."""
    decoy = Decoy(tmp_path)
    (to / "gone").symlink_to(decoy.path)
    (to / "over").symlink_to(decoy.path / "inner")
    bring(source, to, [f"gone/{name}", f"over/{name}", "over/file", "gone/file"], never)
    assert decoy.untouched
    with pytest.raises(ValueError, match="is not the name"):
        bring(source, to, [f"../decoy/{name}"], never)
    assert decoy.untouched


def test_a_link_in_the_folders_place_is_refused(source: Path, to: Path, tmp_path: Path) -> None:
    """On either side."""
    decoy = Decoy(tmp_path)
    to.rmdir()
    to.symlink_to(decoy.path)
    with pytest.raises(NotADirectoryError):
        bring(source, to, ["file"], never)
    with pytest.raises(NotADirectoryError):
        bring(to, source, [], never)
    assert decoy.untouched


def test_it_is_left_off_when_it_shall_stop(source: Path, to: Path) -> None:
    """And no names are told."""
    assert bring(source, to, [], lambda: (to / "file").exists() or (to / "inner").exists()) is None
