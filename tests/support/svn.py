"""Real Subversion repositories, and a real server of them."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.services import require
from tests.support.ports import free_port
from tests.support.waiting import wait_for

USER, PASSWORD = "kim", "p@ss w:rd/1"
IN_ADDRESS = "kim:p%40ss%20w%3Ard%2F1"


class SvnRepository:
    """A repository with trunk, branches and tags, and a working copy of it all that somebody commits from."""

    def __init__(self, place: Path) -> None:
        require("subversion")
        self.place = place
        self.url = f"file://{place}"
        self.work = place.with_name(f"{place.name}-work")
        place.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["svnadmin", "create", str(place)], check=True)
        self.svn("mkdir", "-m", "Layout", *(f"{self.url}/{name}" for name in ("trunk", "branches", "tags")))
        self.svn("checkout", self.url, str(self.work))

    @property
    def address(self) -> str:
        return f"svn+{self.url}"

    def svn(self, *arguments: str, folder: Path | None = None) -> str:
        """What svn says."""
        done = subprocess.run(
            ["svn", arguments[0], "--non-interactive", "--username", "mia", *arguments[1:]],
            cwd=folder or self.place,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def commit(self, message: str, files: Mapping[str, str | None]) -> str:
        """Commit files by their path (None: remove it); the revision."""
        self.svn("update", folder=self.work)
        for path, text in files.items():
            file = self.work / path
            if text is None:
                self.svn("remove", f"{path}@", folder=self.work)
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            self.svn("add", "--force", "--parents", f"{path}@", folder=self.work)
        self.svn("commit", "-m", message, folder=self.work)
        return self.head

    def copy(self, source: str, to: str) -> str:
        """Make a branch or a tag; the revision."""
        self.svn("copy", "-m", f"Make {to}", f"{self.url}/{source}", f"{self.url}/{to}")
        return self.head

    @property
    def head(self) -> str:
        return subprocess.run(
            ["svnlook", "youngest", str(self.place)], check=True, capture_output=True, text=True
        ).stdout.strip()

    def vanish(self) -> None:
        """Be where nobody finds it: whoever asks for it again fails."""
        self.place.rename(self.place.with_name(f"{self.place.name}-gone"))


@contextmanager
def served(repository: SvnRepository) -> Generator[str]:
    """A server that lets in USER with PASSWORD and nobody else; the address without them."""
    settings = "[general]\nanon-access = none\nauth-access = read\npassword-db = passwd\nrealm = Wheels\n"
    (repository.place / "conf" / "svnserve.conf").write_text(settings)
    (repository.place / "conf" / "passwd").write_text(f"[users]\n{USER} = {PASSWORD}\n")
    port, log = free_port(), repository.place / "served.log"
    server = subprocess.Popen(
        [
            *("svnserve", "--daemon", "--foreground", "--listen-host=127.0.0.1", f"--listen-port={port}"),
            *(f"--log-file={log}", f"--root={repository.place.parent}"),
        ]
    )
    address = f"svn://127.0.0.1:{port}/{repository.place.name}"
    try:
        wait_for(lambda: _listens(port), "svnserve")
        yield address
    finally:
        server.terminate()
        server.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def with_login(address: str) -> str:
    return address.replace("://", f"://{IN_ADDRESS}@", 1)
