"""Tokens, codes and sessions: each known by its hash alone, each with an end."""

from __future__ import annotations

import asyncio

from sqlalchemy import Connection, func, select

from tailrace.store import Store
from tailrace.store.clock import read_clock
from tailrace.store.identity import (
    add_login_code,
    begin_session,
    end_session,
    find_session,
    find_token,
    set_token,
)
from tailrace.store.tables import login_code, session

HOUR_MS = 3_600_000


def test_a_token_is_found_by_its_hash(connection: Connection) -> None:
    set_token(connection, "admin", "hash-1")
    assert find_token(connection, "hash-1") == "admin"
    assert find_token(connection, "hash-2") is None


def test_a_new_token_ends_the_earlier_one_of_its_name(connection: Connection) -> None:
    set_token(connection, "admin", "hash-1")
    set_token(connection, "other", "hash-9")
    set_token(connection, "admin", "hash-2")
    assert [find_token(connection, hash) for hash in ("hash-1", "hash-2", "hash-9")] == [
        None,
        "admin",
        "other",
    ]
    set_token(connection, "admin", "hash-1")
    assert [find_token(connection, hash) for hash in ("hash-1", "hash-2")] == ["admin", None]
    set_token(connection, "admin", "hash-1")
    assert find_token(connection, "hash-1") == "admin"


def test_a_code_signs_in_once(connection: Connection) -> None:
    before = read_clock(connection)
    expires = add_login_code(connection, "code", "admin", HOUR_MS)
    assert before + HOUR_MS <= expires <= read_clock(connection) + HOUR_MS
    assert begin_session(connection, "code", "s-1", HOUR_MS) == "admin"
    assert find_session(connection, "s-1") == "admin"
    assert begin_session(connection, "code", "s-2", HOUR_MS) is None
    assert find_session(connection, "s-2") is None


async def test_a_code_that_is_used_twice_at_once_signs_in_once(store: Store) -> None:
    await store.write(add_login_code, "code", "admin", HOUR_MS)
    names = await asyncio.gather(*(store.write(begin_session, "code", f"s-{n}", HOUR_MS) for n in range(8)))
    assert sorted(name or "" for name in names) == [""] * 7 + ["admin"]


def test_an_unknown_or_expired_code_signs_nobody_in(connection: Connection) -> None:
    add_login_code(connection, "old", "admin", -1)
    assert begin_session(connection, "old", "s", HOUR_MS) is None
    assert begin_session(connection, "unknown", "s", HOUR_MS) is None
    assert find_session(connection, "s") is None


def test_a_session_ends_by_time_and_by_its_owners_word(connection: Connection) -> None:
    for code, life in (("a", -1), ("b", HOUR_MS)):
        add_login_code(connection, code, "admin", HOUR_MS)
        begin_session(connection, code, f"s-{code}", life)
    assert find_session(connection, "s-a") is None
    assert find_session(connection, "s-b") == "admin"
    end_session(connection, "s-b")
    end_session(connection, "s-b")
    assert find_session(connection, "s-b") is None


def test_what_has_expired_does_not_pile_up(connection: Connection) -> None:
    for n in range(5):
        add_login_code(connection, f"old-{n}", "admin", -1000)
        add_login_code(connection, f"new-{n}", "admin", HOUR_MS)
        begin_session(connection, f"new-{n}", f"s-{n}", -1000)
    for table, most in ((login_code, 6), (session, 1)):
        assert connection.execute(select(func.count()).select_from(table)).scalar_one() <= most
