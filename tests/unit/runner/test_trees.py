"""Removing folders that a job filled never leaves them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tailrace.runner.trees import empty_tree, remove_tree


@pytest.fixture
def dear(tmp_path: Path) -> Path:
    """A folder outside, which nothing may touch."""
    folder = tmp_path / "dear"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "file").touch()
    folder.chmod(0o755)
    return folder


def untouched(dear: Path) -> bool:
    return (dear / "inner" / "file").exists() and dear.stat().st_mode & 0o777 == 0o755


def test_a_link_is_removed_and_not_followed(tmp_path: Path, dear: Path) -> None:
    """In the folder's place, or inside of it; also where it has the name of what stays."""
    link = tmp_path / "link"
    for clear in (empty_tree, remove_tree):
        link.symlink_to(dear)
        clear(link)
        assert not link.is_symlink()
        assert untouched(dear)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a").symlink_to(dear)
    (folder / "kept").symlink_to(dear)
    empty_tree(folder, but=("kept",))
    assert list(folder.iterdir()) == []
    assert untouched(dear)


def test_a_folder_is_emptied_but_for_what_stays(tmp_path: Path) -> None:
    """Read-only folders too; a missing one is no error, a file in its place goes."""
    folder = tmp_path / "folder"
    (folder / "kept").mkdir(parents=True)
    (folder / "closed" / "inner").mkdir(parents=True)
    (folder / "closed" / "inner" / "file").touch()
    (folder / "closed").chmod(0o500)
    (folder / "file").touch()
    empty_tree(folder, but=("kept",))
    assert [path.name for path in folder.iterdir()] == ["kept"]
    empty_tree(tmp_path / "none")
    (tmp_path / "file").touch()
    empty_tree(tmp_path / "file")
    assert not (tmp_path / "file").exists()
