"""The servers that tests get are real, empty, shared, and gone when the session is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psycopg
import pytest

from tests import services

CHECKOUT = Path(__file__).parents[2]


def test_a_database_is_real_and_empty(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
        assert tables == (0,)
        version = connection.execute("SHOW server_version_num").fetchone()
        assert version is not None
        assert int(version[0]) >= 130000


def test_each_database_is_another_and_goes_away_with_its_user_still_connected(
    postgres: services.Postgres,
) -> None:
    with postgres.database() as first, postgres.database() as second:
        assert first != second
        user = psycopg.connect(first)
    user.close()
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(first)


def test_what_is_missing_skips_the_test_and_fails_it_where_everything_was_promised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(services.NEEDS, "perpetuum-mobile", lambda: None)
    monkeypatch.delenv("TAILRACE_REQUIRE_SERVICES", raising=False)
    with pytest.raises(pytest.skip.Exception, match="perpetuum-mobile is not on this machine"):
        services.require("perpetuum-mobile")
    monkeypatch.setenv("TAILRACE_REQUIRE_SERVICES", "1")
    with pytest.raises(pytest.fail.Exception, match="forbids to skip"):
        services.require("perpetuum-mobile")


def test_what_is_there_is_found() -> None:
    assert os.access(services.require("git"), os.X_OK)
    assert (services.require("postgresql") / "postgres").exists()


def _session_of_two_workers(tmp_path: Path, last_act: str) -> tuple[subprocess.Popen[str], Path]:
    """A pytest of its own, whose two tests each write the server's port to a file and then do `last_act`."""
    services.require("postgresql")
    ports = tmp_path / "ports"
    ports.mkdir()
    (tmp_path / "conftest.py").write_text("from tests.conftest import *\n")
    (tmp_path / "test_two.py").write_text(
        textwrap.dedent(
            f"""
            import json, os, pathlib, time, pytest

            @pytest.mark.parametrize("n", [1, 2])
            def test_port(n, postgres, postgres_url):
                folder = pathlib.Path({str(ports)!r})
                note = folder / f"{{n}}.part"
                session = os.environ["{services.SESSION_FOLDER}"]
                note.write_text(json.dumps([os.getpid(), session, postgres.port, postgres.password]))
                note.rename(folder / f"{{n}}.json")
                while len(list(folder.glob("*.json"))) < 2:
                    time.sleep(0.01)
                {last_act}
            """
        )
    )
    session = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-n2",
            "--rootdir",
            tmp_path,
            "-p",
            "no:cacheprovider",
            tmp_path,
        ],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(CHECKOUT), *sys.path])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return session, ports


def _shared_by(ports: Path) -> tuple[services.Postgres, Path]:
    """The one server that both workers were given, and the folder of their session."""
    notes = [json.loads(note.read_text()) for note in ports.glob("*.json")]
    assert len({process for process, *_ in notes}) == 2
    [[folder, port, password]] = {tuple(shared) for _, *shared in notes}
    return services.Postgres(port, password), Path(folder)


def test_workers_share_one_server_and_it_stops_with_their_session(tmp_path: Path) -> None:
    session, ports = _session_of_two_workers(tmp_path, last_act="pass")
    output, _ = session.communicate(timeout=240)
    assert session.returncode == 0, output
    server, folder = _shared_by(ports)
    assert not folder.exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.url("postgres"))


def test_a_killed_session_leaves_no_server(tmp_path: Path) -> None:
    session, ports = _session_of_two_workers(tmp_path, last_act="time.sleep(100)")
    while len(list(ports.glob("*.json"))) < 2:
        assert session.poll() is None, session.communicate()
        time.sleep(0.01)
    server, folder = _shared_by(ports)
    psycopg.connect(server.url("postgres")).close()
    with session:
        session.kill()
    while folder.exists():
        time.sleep(0.01)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.url("postgres"))
