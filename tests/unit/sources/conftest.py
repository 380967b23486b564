"""Real git repositories to mirror, and the payloads that GitHub sends."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tailrace.sources.mirror import Mirrors

TIME = "2026-11-20T09:29:58+00:00"


class Repository:
    """A repository with a work tree that somebody pushes to."""

    def __init__(self, place: Path, *, object_format: str = "sha1") -> None:
        self.place = place
        place.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main", f"--object-format={object_format}")

    @property
    def address(self) -> str:
        return str(self.place)

    def git(self, *arguments: str) -> str:
        """What git answers in this repository."""
        who = {"NAME": "Mia Miller", "EMAIL": "mia@example.com", "DATE": TIME}
        environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
        environment |= {f"GIT_{role}_{k}": v for role in ("AUTHOR", "COMMITTER") for k, v in who.items()}
        environment |= {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(
            ["git", *arguments], cwd=self.place, env=environment, check=True, capture_output=True
        )
        return done.stdout.decode().strip()

    def commit(self, message: str, files: Mapping[str, bytes] | None = None) -> str:
        """Commit these files on the current branch; the commit's hash."""
        for path, content in (files or {}).items():
            (self.place / path).parent.mkdir(parents=True, exist_ok=True)
            (self.place / path).write_bytes(content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def vanish(self) -> None:
        """Be where nobody finds it: whoever asks for it again fails."""
        self.place.rename(self.place.with_name(f"{self.place.name}-gone"))


@pytest.fixture
def new_repository(tmp_path: Path) -> Callable[..., Repository]:
    def new(name: str, object_format: str = "sha1") -> Repository:
        return Repository(tmp_path / "repositories" / name, object_format=object_format)

    return new


@pytest.fixture
def repository(new_repository: Callable[..., Repository]) -> Repository:
    return new_repository("wheel")


@pytest.fixture
def mirrors(tmp_path: Path) -> Mirrors:
    return Mirrors(tmp_path / "mirrors", timeout=30)


@pytest.fixture
def hostile_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's configuration that would change what git does, had we let it."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        '[log]\n\tshowSignature = true\n[url "/nowhere/"]\n\tinsteadOf = /\n[core]\n\tpager = false\n'
        "[init]\n\tdefaultObjectFormat = sha256\n[color]\n\tui = always\n[fetch]\n\tfsckObjects = true\n"
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_WORK_TREE", "/nowhere")
    return home
