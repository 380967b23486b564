"""Where a local run works."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tailrace.agent.local_folder import local_folder


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_it_goes_when_the_run_does(temporary: Path) -> None:
    """Whatever is in it."""
    with local_folder() as place:
        (place / "attempts" / "1-ab").mkdir(parents=True)
        assert place.parent == temporary
    assert list(temporary.iterdir()) == []


def test_another_run_s_folder_is_left_alone(temporary: Path) -> None:
    """As long as it is held."""
    with local_folder() as one, local_folder() as other:
        assert sorted(temporary.iterdir()) == sorted((one, other))


def test_what_a_killed_run_left_is_removed(temporary: Path) -> None:
    """By the next one."""
    left = temporary / "tailrace-exec-left"
    (left / "attempts").mkdir(parents=True)
    with local_folder() as place:
        assert list(temporary.iterdir()) == [place]


def test_what_only_looks_like_one_is_left_alone(temporary: Path) -> None:
    """A link may lead anywhere."""
    elsewhere = temporary / "elsewhere"
    elsewhere.mkdir()
    (temporary / "tailrace-exec-link").symlink_to(elsewhere)
    with local_folder():
        pass
    assert list(elsewhere.iterdir()) == []
    assert (temporary / "tailrace-exec-link").is_symlink()
