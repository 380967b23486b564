"""What a local run checks out, in the repositories that people have."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tailrace.agent.snapshot import SnapshotFailed, Sources, find_sources, take_snapshot
from tailrace.domain.errors import NotFound
from tailrace.runner.mirrors import Mirror

GIT = ("git", "-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "init.defaultBranch=main")


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run([*GIT, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """One commit on main, with a file."""
    folder = tmp_path / "shop"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "file").write_text("one\n")
    git(folder, "add", "file")
    git(folder, "commit", "-q", "-m", "one")
    return folder


def show(mirrors: Path, sources: Sources, what: str) -> str:
    assert sources.revision is not None
    return git(Mirror(mirrors, sources.repository).path, "show", f"{sources.revision}{what}")


def test_a_worktree_is_taken_at_its_own_branch(repository: Path, tmp_path: Path) -> None:
    """Its objects are the main repository's, its files and its branch are its own."""
    tree = tmp_path / "tree"
    git(repository, "worktree", "add", "-q", "-b", "other", str(tree))
    (tree / "file").write_text("two\n")
    sources = take_snapshot(tree, tmp_path / "mirrors")
    assert (sources.branch, sources.ref, sources.uncommitted) == ("other", "refs/heads/other", True)
    assert show(tmp_path / "mirrors", sources, ":file") == "two"
    assert show(tmp_path / "mirrors", sources, "^:file") == "one"


def test_a_repository_without_a_commit_is_taken_as_it_is(tmp_path: Path) -> None:
    """Its first commit need not be made to try what it would run."""
    folder = tmp_path / "new"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "file").write_text("draft\n")
    sources = take_snapshot(folder, tmp_path / "mirrors")
    assert (sources.branch, sources.uncommitted) == ("main", True)
    assert show(tmp_path / "mirrors", sources, ":file") == "draft"


def test_a_shallow_clone_is_taken_without_the_history_that_it_lacks(repository: Path, tmp_path: Path) -> None:
    """The mirror knows where history ends."""
    (repository / "file").write_text("two\n")
    git(repository, "commit", "-q", "-a", "-m", "two")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repository}", str(clone))
    sources = take_snapshot(clone, tmp_path / "mirrors")
    mirror = Mirror(tmp_path / "mirrors", sources.repository)
    assert (sources.revision, sources.uncommitted) == (git(clone, "rev-parse", "HEAD"), False)
    assert git(mirror.path, "log", "--format=%s", str(sources.revision)) == "two"


def test_what_is_staged_stays_staged(repository: Path, tmp_path: Path) -> None:
    """Nor is anything else of the index changed."""
    (repository / "staged").write_text("")
    (repository / "new").write_text("")
    git(repository, "add", "staged")
    before = git(repository, "status", "--short")
    take_snapshot(repository, tmp_path / "mirrors")
    assert git(repository, "status", "--short") == before == "A  staged\n?? new"


def test_a_hook_that_calls_us_does_not_mislead_git(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """git tells its hooks where it works: that may be another repository, or another index."""
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "elsewhere.index"))
    assert take_snapshot(repository, tmp_path / "mirrors").uncommitted is False


def test_a_revision_that_there_is_not_is_named(repository: Path, tmp_path: Path) -> None:
    """Nor can one be an option."""
    for revision in ("v9", "--all"):
        with pytest.raises(NotFound, match=revision):
            take_snapshot(repository, tmp_path / "mirrors", revision)


def test_a_repository_that_git_cannot_read_is_refused_in_its_words(repository: Path, tmp_path: Path) -> None:
    """Half of the files are no snapshot."""
    (repository / ".git" / "index").write_bytes(b"nonsense" * 10)
    with pytest.raises(SnapshotFailed, match=f"(?s)cannot take the files of {repository}: .*index file"):
        take_snapshot(repository, tmp_path / "mirrors")


def test_a_job_without_checkout_knows_where_it_is(repository: Path, tmp_path: Path) -> None:
    """And a folder that is in no repository is no error."""
    commit = git(repository, "rev-parse", "HEAD")
    assert find_sources(repository) == Sources(str(repository), commit, "refs/heads/main", "main")
    assert find_sources(tmp_path) == Sources(str(tmp_path))
