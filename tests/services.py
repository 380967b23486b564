"""What tests need beside Python: real servers, started once for all of a session's workers, and programs.

The session holds a lock on a file in its folder (`Session`); each server has a guard process beside it that waits for
that lock and then stops the server and removes its folder. So nothing outlives the session, even one that was killed,
and no worker has to know whether it is the last.
"""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

import psycopg
import pytest

SESSION_FOLDER = "TAILRACE_TEST_SESSION"
LOCK = "session.lock"


def _postgresql() -> Path | None:
    """The folder of the newest server's programs. Debian keeps them off the PATH."""
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    found = [initdb.parent for initdb in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(found, key=lambda folder: float(folder.parent.name), default=None)


def _program(*names: str) -> Callable[[], Path | None]:
    return lambda: next((Path(path) for path in map(shutil.which, names) if path), None)


NEEDS: dict[str, Callable[[], Path | None]] = {
    "postgresql": _postgresql,
    "chromium": _program("chromium", "chromium-browser", "google-chrome"),
    "git": _program("git"),
    "subversion": _program("svnserve"),
}


def require(what: str) -> Path:
    """Where the machine has `what` (a key of NEEDS): its program; of postgresql the folder of its programs.

    Where it is missing the calling test is skipped, or fails when TAILRACE_REQUIRE_SERVICES=1 says that this machine
    was to have everything.
    """
    found = NEEDS[what]()
    if found is None:
        refuse(f"{what} is not on this machine (tools/packages.sh installs what the tests need)")
    return found


def refuse(reason: str) -> NoReturn:
    if os.environ.get("TAILRACE_REQUIRE_SERVICES") == "1":
        pytest.fail(f"{reason}, and TAILRACE_REQUIRE_SERVICES=1 forbids to skip", pytrace=False)
    pytest.skip(reason)


class Session:
    """The folder that a pytest session's workers share; servers in it live until `end`."""

    def __init__(self) -> None:
        # Not below pytest's own folder, which only its user may enter: PostgreSQL refuses to be root.
        self.folder = Path(tempfile.mkdtemp(prefix="tailrace-tests-"))
        self.folder.chmod(0o755)
        self._lock: IO[str] = (self.folder / LOCK).open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        os.environ[SESSION_FOLDER] = str(self.folder)

    def end(self) -> None:
        """Let the servers go, and return when they are gone."""
        # Unlocked, not only closed: a process that a test forked may still hold the file open.
        fcntl.flock(self._lock, fcntl.LOCK_UN)
        self._lock.close()
        deadline = time.monotonic() + 120
        while _servers(self.folder):
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"a server of this test session did not stop within 120 s; see {self.folder}"
                )
            time.sleep(0.01)
        shutil.rmtree(self.folder, ignore_errors=True)  # the last guard may have done it


def _servers(session: Path) -> list[Path]:
    """The folders of the servers that still run."""
    try:
        return [child for child in session.iterdir() if child.is_dir()]
    except FileNotFoundError:
        return []


@dataclass(frozen=True)
class Postgres:
    """A PostgreSQL server on 127.0.0.1, without fsync: its data live no longer than the session."""

    port: int
    password: str

    def url(self, database: str) -> str:
        return f"postgresql://postgres:{self.password}@127.0.0.1:{self.port}/{database}"

    def create(self, name: str, template: str = "template0") -> None:
        """Make a database; an empty one, or a copy of another that nobody is connected to."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())

    @contextmanager
    def database(self, template: str = "template0") -> Generator[str]:
        """The URL of a new database, as `create` makes it; dropped at the end whoever still uses it."""
        name = f"test_{secrets.token_hex(6)}"
        self.create(name, template)
        try:
            yield self.url(name)
        finally:
            with psycopg.connect(self.url("postgres"), autocommit=True) as admin:
                admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def shared_postgres() -> Postgres:
    """The session's server: the first who asks starts it, the others wait for that and use it too."""
    programs = require("postgresql")
    session = Path(os.environ[SESSION_FOLDER])
    note = session / "postgres.json"
    with (session / "postgres.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not note.exists():
            server = _start_postgres(programs, session)
            note.write_text(json.dumps(asdict(server)))
    return Postgres(**json.loads(note.read_text()))


def _start_postgres(programs: Path, session: Path) -> Postgres:
    folder = session / "postgres"
    shutil.rmtree(folder, ignore_errors=True)  # of a start that failed
    folder.mkdir(mode=0o700)
    user = _unprivileged_user()
    if user is not None:
        os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    password = secrets.token_hex(12)
    password_file = folder / "password"
    password_file.write_text(password)
    password_file.chmod(0o644)
    data = folder / "data"
    _run_as(
        user,
        [
            *(programs / "initdb", "--pgdata", data, "--username=postgres", "--pwfile", password_file),
            *(
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
                "--no-instructions",
            ),
        ],
        folder,
    )
    with (data / "postgresql.conf").open("a") as settings:
        settings.write(
            "listen_addresses = '127.0.0.1'\n"
            "unix_socket_directories = ''\n"
            "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\nautovacuum = off\n"
            "max_connections = 200\nshared_buffers = '32MB'\n"
        )
    for _ in range(3):
        server = Postgres(_free_port(), password)
        guard = _start_guard(
            session, folder, user, [programs / "postgres", "-D", data, "-p", str(server.port)]
        )
        if _answers(server, guard):
            return server
    raise RuntimeError(f"PostgreSQL did not start:\n{(folder / 'server.log').read_text(errors='replace')}")


def _answers(server: Postgres, guard: subprocess.Popen[bytes]) -> bool:
    """Wait until the server takes connections; False when it ended instead (another took its port)."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and guard.poll() is None:
        try:
            psycopg.connect(server.url("postgres"), connect_timeout=30).close()
            return True
        except psycopg.OperationalError:
            time.sleep(0.02)
    guard.terminate()
    guard.wait()
    return False


def _unprivileged_user() -> str | None:
    """PostgreSQL refuses to run as root; anybody else runs it as they are."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _as(user: str | None) -> dict[str, Any]:
    """What subprocess takes to start a program as `user`."""
    return {} if user is None else {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def _run_as(user: str | None, command: list[str | Path], folder: Path) -> None:
    done = subprocess.run(
        command,
        **_as(user),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(
            f"{command[0]} ended with exit code {done.returncode}:\n{done.stdout}{done.stderr}"
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _start_guard(
    session: Path, folder: Path, user: str | None, command: list[str | Path]
) -> subprocess.Popen[bytes]:
    # A session of its own: Ctrl-C in the terminal is for pytest, whose end then ends the servers.
    return subprocess.Popen(
        [sys.executable, __file__, session / LOCK, folder, user or "", *command],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )


def _guard(lock: Path, folder: Path, user: str | None, command: list[str]) -> int:
    """Run a server beside a session: when the session's lock is free, stop the server and remove its folder.

    A server that ends by itself, or because the guard is told to end, leaves its folder with its log.
    """
    with (folder / "server.log").open("ab") as log:
        server = subprocess.Popen(
            command,
            **_as(user),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    session_ended = threading.Event()

    def stop_the_server(*_: object) -> None:
        server.send_signal(signal.SIGQUIT)  # at once: nobody needs the data

    def wait_for_the_session() -> None:
        with lock.open() as held:
            fcntl.flock(held, fcntl.LOCK_SH)
            session_ended.set()
            stop_the_server()

    signal.signal(signal.SIGTERM, stop_the_server)
    threading.Thread(target=wait_for_the_session, daemon=True).start()
    server.wait()
    if session_ended.is_set():
        while folder.exists():
            shutil.rmtree(folder, ignore_errors=True)  # what it started may still end
        if not _servers(lock.parent):
            shutil.rmtree(lock.parent, ignore_errors=True)  # of a session that was killed
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(_guard(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] or None, sys.argv[4:]))
