"""Migrations make the tables that the code describes, on both databases, also when two servers start at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from tailrace.domain.errors import Invalid
from tailrace.store import migrate as migrations
from tailrace.store import open_store
from tailrace.store.migrate import migrate, newest_revision
from tailrace.store.tables import metadata
from tests.unit.store.conftest import engine_of

TABLES = {*metadata.tables, "alembic_version"}


def _tables(url: str) -> set[str]:
    engine = engine_of(url)
    found = set(inspect(engine).get_table_names())
    engine.dispose()
    return found - {"sqlite_sequence"}


def test_the_migrated_schema_is_the_one_in_the_code(empty_database_url: str) -> None:
    migrate(empty_database_url)
    assert _tables(empty_database_url) == TABLES
    engine = engine_of(empty_database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_checks_and_partial_indexes_are_migrated_too(empty_database_url: str) -> None:
    """Alembic compares neither, so they are compared with a database that the code's tables made."""
    migrate(empty_database_url)
    engine = engine_of(empty_database_url)
    with engine.connect() as connection:
        migrated = _rules(connection)
        metadata.drop_all(connection)
        metadata.create_all(connection)
        assert migrated == _rules(connection)
        assert any("end" in name for name in migrated)
    engine.dispose()


def _rules(connection: Connection) -> dict[str, str]:
    """Checks and indexes by name, as the database describes them."""
    inspector = inspect(connection)
    rules: dict[str, str] = {}
    for table in metadata.tables:
        for check in inspector.get_check_constraints(table):
            rules[f"{table}.{check['name']}"] = check["sqltext"]
    if connection.dialect.name == "sqlite":
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    else:
        query = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
    for name, sql in connection.execute(text(query)):
        if name != "alembic_version_pkc":
            rules[name] = " ".join(sql.split())
    return rules


def test_migrating_again_changes_nothing(empty_database_url: str) -> None:
    migrate(empty_database_url)
    engine = engine_of(empty_database_url)
    with engine.connect() as connection:
        connection.execute(text("INSERT INTO server (id, seen_at) VALUES ('a', 1)"))
        connection.commit()
    migrate(empty_database_url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT id FROM server")).scalars().all() == ["a"]
    engine.dispose()


def test_down_to_nothing_and_up_again(empty_database_url: str) -> None:
    migrate(empty_database_url)
    migrate(empty_database_url, "base")
    assert _tables(empty_database_url) == {"alembic_version"}
    migrate(empty_database_url)
    assert _tables(empty_database_url) == TABLES


def test_who_was_signed_in_still_is(empty_database_url: str) -> None:
    """Sessions were of a name, and are of the token that has it now; those of a name that nobody has are over."""
    migrate(empty_database_url, "0021")
    engine = engine_of(empty_database_url)
    with engine.begin() as connection:
        for statement in (
            "INSERT INTO token (id, name, hash, created_at, removed_at) VALUES (3, 'admin', 'old', 1, 2)",
            "INSERT INTO token (id, name, hash, created_at) VALUES (4, 'admin', 'new', 2)",
            "INSERT INTO session (hash, name, created_at, expires_at) VALUES ('s', 'admin', 1, 9)",
            "INSERT INTO session (hash, name, created_at, expires_at) VALUES ('t', 'nobody', 1, 9)",
            "INSERT INTO login_code (hash, name, created_at, expires_at, used_at) VALUES ('c', 'admin', 1, 9, 5)",
        ):
            connection.execute(text(statement))
    migrate(empty_database_url)
    with engine.begin() as connection:
        for statement, row in {
            "SELECT role, author, used_at, expires_at FROM token WHERE id = 4": ("admin", None, None, None),
            "SELECT hash, token_id, created_at, expires_at FROM session": ("s", 4, 1, 9),
            "SELECT hash, token_id, created_at, expires_at, used_at FROM login_code": ("c", 4, 1, 9, 5),
        }.items():
            assert [tuple(found) for found in connection.execute(text(statement))] == [row]
        if engine.dialect.name == "sqlite":  # no id is ever given twice
            made = connection.execute(text("SELECT sql FROM sqlite_master WHERE name = 'token'")).scalar_one()
            assert "AUTOINCREMENT" in made
    engine.dispose()


def test_who_was_less_than_an_admin_is_nobody_in_an_older_version(empty_database_url: str) -> None:
    """Which has no roles: whoever got in would be an admin."""
    migrate(empty_database_url)
    engine = engine_of(empty_database_url)
    with engine.begin() as connection:
        for statement in (
            "INSERT INTO token (id, name, hash, created_at, role) VALUES (1, 'admin', 'a', 1, 'admin')",
            "INSERT INTO token (id, name, hash, created_at, role, author) VALUES (2, 'ada', 'b', 1, 'reader', 'admin')",
            "INSERT INTO session (hash, token_id, created_at, expires_at) VALUES ('s', 1, 1, 9), ('t', 2, 1, 9)",
        ):
            connection.execute(text(statement))
    migrate(empty_database_url, "0021")
    with engine.begin() as connection:
        tokens = connection.execute(text("SELECT name FROM token WHERE removed_at IS NULL")).scalars().all()
        assert tokens == ["admin"]
        assert connection.execute(text("SELECT name FROM session")).scalars().all() == ["admin"]
    engine.dispose()


def test_what_is_up_to_date_is_known_without_alembic(empty_database_url: str) -> None:
    """Which a server that starts again need not load; the newest revision is the one that Alembic finds."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_heads() == [newest_revision()]
    migrate(empty_database_url)
    program = (
        "import sys\nfrom tailrace.store.migrate import migrate\n"
        "migrate(sys.argv[1])\nprint('alembic' in sys.modules)"
    )
    again = subprocess.run(
        [sys.executable, "-c", program, empty_database_url],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
        capture_output=True,
    )
    assert again.stdout == b"False\n"


def test_processes_that_migrate_at_once_wait_for_each_other(empty_database_url: str) -> None:
    program = (
        "import sys\nfrom tailrace.store.migrate import migrate\n"
        "print('ready', flush=True)\nsys.stdin.read()\nmigrate(sys.argv[1])"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, empty_database_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors.decode()
    assert _tables(empty_database_url) == TABLES


def test_a_database_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "tailrace.db"
    migrate(f"sqlite:///{path}")
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_path_may_hold_any_character(tmp_path: Path) -> None:
    path = tmp_path / "a?b %41 ü" / "tailrace.db"
    store = await open_store(f"sqlite:///{path}")
    await store.close()
    assert path.exists()


@pytest.mark.parametrize("url", ["mysql://host/db", "tailrace.db", "sqlite://relative"])
async def test_another_kind_of_database_is_refused_with_what_is_allowed(url: str) -> None:
    with pytest.raises(Invalid, match="allowed are sqlite:///FILE and postgresql://"):
        await open_store(url)
