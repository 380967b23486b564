"""Files below a folder: nothing that stands there leads out of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tailrace.inside import Found, NotPlain, blocks, entries, reading, writing


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with links to what lies beside it."""
    root = tmp_path / "root"
    (root / "plain").mkdir(parents=True)
    (root / "plain" / "file").write_text("inside")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text("outside")
    (root / "folder-link").symlink_to(tmp_path / "outside")
    (root / "file-link").symlink_to(tmp_path / "outside" / "file")
    os.mkfifo(root / "pipe")
    return root


def test_what_a_folder_holds_is_told_by_kind(root: Path) -> None:
    assert entries(root) == [
        Found("file-link", "link"),
        Found("folder-link", "link"),
        Found("pipe", "other"),
        Found("plain", "folder"),
    ]
    assert entries(root, "plain") == [Found("plain/file", "file")]
    with pytest.raises(NotPlain):
        entries(root, "folder-link")


def test_a_file_is_read_by_blocks(root: Path) -> None:
    with reading(root, "plain/file") as file:
        assert list(blocks(file, 4)) == [b"insi", b"de"]


@pytest.mark.parametrize("path", ["file-link", "folder-link/file", "pipe", "plain", "plain/file/x"])
def test_nothing_else_is_read(root: Path, path: str) -> None:
    """And a pipe without a writer is not waited for."""
    with pytest.raises(NotPlain), reading(root, path):
        pass


def test_a_file_is_written_whole_or_not_at_all(root: Path) -> None:
    with writing(root, "new/deep/file") as file:
        os.write(file, b"bytes")
        assert not (root / "new" / "deep" / "file").exists()
    assert (root / "new" / "deep" / "file").read_bytes() == b"bytes"

    def write_half() -> None:
        with writing(root, "plain/file") as file:
            os.write(file, b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert (root / "plain" / "file").read_text() == "inside"
    assert os.listdir(root / "plain") == ["file"]


def test_nothing_is_written_through_a_link(root: Path) -> None:
    """A link in the place of the file itself is replaced, not followed."""
    with pytest.raises(NotPlain), writing(root, "folder-link/new"):
        pass
    with writing(root, "file-link") as file:
        os.write(file, b"new")
    assert (root / "file-link").read_bytes() == b"new"
    assert not (root / "file-link").is_symlink()
    assert (root.parent / "outside" / "file").read_text() == "outside"
    assert os.listdir(root.parent / "outside") == ["file"]


def test_a_folder_is_not_replaced_by_a_file(root: Path) -> None:
    with pytest.raises(NotPlain), writing(root, "plain"):
        pass
    assert (root / "plain" / "file").exists()
