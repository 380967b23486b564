"""Removing and making what is in folders that a job filled never leaves them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tailrace.runner.trees import (
    Undeletable,
    empty_tree,
    give_to_owner,
    opened,
    own_folder,
    remove_tree,
    write_for_owner,
    write_new,
)
from tests.unit.runner.decoy import Decoy


@pytest.fixture
def decoy(tmp_path: Path) -> Decoy:
    return Decoy(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "folder"
    made.mkdir()
    return made


@pytest.mark.parametrize("clear", [empty_tree, remove_tree])
def test_a_link_is_removed_and_not_followed(
    clear: Callable[[Path], None], folder: Path, decoy: Decoy
) -> None:
    """In the folder's place, or inside of it at any level; to a folder, to a file, or to nothing."""
    link = folder / "link"
    link.symlink_to(decoy.path)
    clear(link)
    assert not link.is_symlink()
    (folder / "a" / "b").mkdir(parents=True)
    for place in (folder, folder / "a", folder / "a" / "b"):
        (place / "to-folder").symlink_to(decoy.path)
        (place / "to-file").symlink_to(decoy.path / "file")
        (place / "to-nothing").symlink_to(decoy.path / "nothing")
    (folder / "a" / "b").chmod(0o500)
    clear(folder)
    assert not folder.exists() or list(folder.iterdir()) == []
    assert decoy.untouched


@pytest.mark.parametrize("clear", [empty_tree, remove_tree])
def test_a_link_in_the_parents_place_is_refused(
    clear: Callable[[Path], None], folder: Path, decoy: Decoy
) -> None:
    """What lies behind it is not ours."""
    (folder / "parent").symlink_to(decoy.path)
    with pytest.raises(Undeletable, match="cannot remove"):
        clear(folder / "parent" / "inner")
    with pytest.raises(Undeletable, match="cannot remove"):
        clear(folder / "parent" / "file")
    with pytest.raises(NotADirectoryError):
        own_folder(folder / "parent" / "inner")
    with pytest.raises(NotADirectoryError):
        write_for_owner(folder / "parent" / "file", b"x")
    assert decoy.untouched


@pytest.mark.parametrize("path", ["/", ".", "..", "folder/.."])
def test_what_has_no_name_is_not_removed(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that leads upwards is a mistake of ours."""
    monkeypatch.setattr(os, "listdir", pytest.fail)
    monkeypatch.setattr(os, "scandir", pytest.fail)
    monkeypatch.setattr(os, "unlink", pytest.fail)
    monkeypatch.setattr(os, "rmdir", pytest.fail)
    for clear in (empty_tree, remove_tree):
        with pytest.raises(ValueError, match="is not the name of something in a folder"):
            clear(Path(path))


def test_a_folder_is_emptied(tmp_path: Path, folder: Path) -> None:
    """Read-only folders too, and it is the same folder; a missing one is no error, a file in its place goes."""
    (folder / "closed" / "inner").mkdir(parents=True)
    (folder / "closed" / "inner" / "file").touch()
    (folder / "closed").chmod(0)
    (folder / "file").touch()
    os.mkfifo(folder / "pipe")
    before = folder.stat().st_ino
    empty_tree(folder)
    assert list(folder.iterdir()) == []
    assert folder.stat().st_ino == before
    empty_tree(tmp_path / "none")
    remove_tree(tmp_path / "none")
    remove_tree(tmp_path / "none" / "inner")
    for clear in (empty_tree, remove_tree):
        (tmp_path / "file").touch()
        clear(tmp_path / "file")
        assert not (tmp_path / "file").exists()


def test_a_folder_deeper_than_descriptors_and_frames_go(folder: Path) -> None:
    """A job may nest folders without end."""
    fd = os.open(folder, os.O_RDONLY)
    for _ in range(1300):
        os.mkdir("d", dir_fd=fd)
        inner = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=fd))
    os.close(fd)
    try:
        remove_tree(folder)
        assert not folder.exists()
        assert os.listdir(folder.parent) == []
    finally:  # pytest could not remove it
        subprocess.run(("rm", "-rf", "--one-file-system", folder), check=True)


MOUNTED = """
import subprocess, sys
from pathlib import Path
from tailrace.runner.trees import Undeletable, empty_tree, own_folder, remove_tree

folder, decoy = map(Path, sys.argv[1:])
for place in (folder / "inner" / "mounted", folder / "place"):
    subprocess.run(("mount", "--bind", decoy, place), check=True)
for act in (empty_tree, remove_tree, own_folder):
    for path in (folder / "place", folder):
        try:
            act(path)
        except Undeletable as error:
            print(error)
        else:
            print(f"{act.__name__} took {path}")
print((folder / "a.txt").exists())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_what_is_mounted_in_a_folder_is_not_entered(folder: Path, decoy: Decoy) -> None:
    """A job of root may have left the machine's own root there; mounts of the same file system are told apart too."""
    (folder / "inner" / "mounted").mkdir(parents=True)
    (folder / "place").mkdir()
    (folder / "a.txt").touch()
    done = subprocess.run(
        ("unshare", "--mount", "--propagation", "private", sys.executable, "-c", MOUNTED, folder, decoy.path),
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    assert decoy.untouched
    said = done.stdout.splitlines()
    assert [line for line in said if " took " in line] == [f"own_folder took {folder}"]
    assert sum("place: something is mounted there" in line for line in said) == 5
    assert said[-1] == "False", "all else is gone"


def test_a_folder_of_our_own_is_made_or_taken(tmp_path: Path, decoy: Decoy) -> None:
    """With all rights for its owner; what is no folder makes room."""
    place = tmp_path / "place"
    assert not own_folder(place)
    place.chmod(0)
    assert own_folder(place)
    assert place.stat().st_mode & 0o777 == 0o700

    def link(path: Path) -> None:
        path.symlink_to(decoy.path)

    makes: tuple[Callable[[Path], None], ...] = (Path.touch, os.mkfifo, link)
    for make in makes:
        place.rmdir()
        make(place)
        assert not own_folder(place)
        assert place.is_dir()
        assert not place.is_symlink()
        assert place.stat().st_mode & 0o777 == 0o700
    assert decoy.untouched


def test_a_file_is_written_in_no_links_place(folder: Path, decoy: Decoy) -> None:
    """It is replaced, or refused where there must be nothing."""
    for target in (decoy.path / "file", decoy.path / "nothing"):
        (folder / "file").symlink_to(target)
        with opened(folder) as fd, pytest.raises(FileExistsError):
            write_new(fd, "file", b"x")
        write_for_owner(folder / "file", b"mine")
        assert not (folder / "file").is_symlink()
        assert (folder / "file").read_bytes() == b"mine"
        (folder / "file").unlink()
    os.link(decoy.path / "file", folder / "hard")
    write_for_owner(folder / "hard", b"mine")
    assert (folder / "hard").stat().st_mode & 0o777 == 0o600
    assert decoy.untouched


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_is_given_has_no_name_elsewhere(folder: Path, tmp_path: Path) -> None:
    """Files and folders get the folder's owner; not what a link, or a second name of a file, leads to."""
    dear = tmp_path / "dear"
    dear.touch()
    (folder / "inner").mkdir()
    (folder / "inner" / "file").touch()
    os.link(dear, folder / "name")
    (folder / "link").symlink_to(dear)
    os.mkfifo(folder / "pipe")
    os.chown(folder, 65534, 65534)
    give_to_owner(folder)
    assert (folder / "inner").stat().st_uid == 65534
    assert (folder / "inner" / "file").stat().st_uid == 65534
    assert dear.stat().st_uid == 0
