"""Tokens, codes and sessions: each known by its hash alone, each with an end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import Connection, event, func, select

from tailrace.domain.access import Caller, Role
from tailrace.domain.errors import Conflict, Invalid, NotFound
from tailrace.store import Store
from tailrace.store.clock import read_clock
from tailrace.store.identity import (
    add_login_code,
    begin_session,
    begin_session_of_token,
    create_token,
    end_session,
    find_session,
    find_token,
    good_among,
    known_names,
    list_tokens,
    remove_token,
    set_token,
    stamp_used,
)
from tailrace.store.tables import login_code, session
from tests.unit.store.conftest import overlapping

HOUR_MS = 3_600_000


def _name(caller: Caller | None) -> str | None:
    return None if caller is None else caller.name


def _make(
    connection: Connection, name: str, role: Role = Role.MEMBER, hash: str = "", life_ms: int | None = None
) -> int:
    """The id of a new token whose hash is its name if nothing else is said."""
    return create_token(connection, name, role, hash or name, author="admin", life_ms=life_ms).id


def test_a_token_is_found_by_its_hash(connection: Connection) -> None:
    set_token(connection, "admin", "hash-1")
    found = find_token(connection, "hash-1")
    assert found is not None
    assert (found.name, found.role) == ("admin", Role.ADMIN)
    assert find_token(connection, "hash-2") is None


def test_a_new_token_ends_the_earlier_one_of_its_name(connection: Connection) -> None:
    """And the sessions that began with that one."""
    set_token(connection, "admin", "hash-1")
    begin_session_of_token(connection, "hash-1", "s", HOUR_MS)
    _make(connection, "other", hash="hash-9")
    set_token(connection, "admin", "hash-2")
    assert [_name(find_token(connection, hash)) for hash in ("hash-1", "hash-2", "hash-9")] == [
        None,
        "admin",
        "other",
    ]
    assert find_session(connection, "s") is None
    set_token(connection, "admin", "hash-1")
    assert [_name(find_token(connection, hash)) for hash in ("hash-1", "hash-2")] == ["admin", None]
    set_token(connection, "admin", "hash-1")
    assert _name(find_token(connection, "hash-1")) == "admin"
    assert find_session(connection, "s") is None, "what ended stays ended"


def test_the_servers_own_token_is_nobody_elses(connection: Connection) -> None:
    """A server that is given a member's token as the admin's would have no admin."""
    set_token(connection, "admin", "hash-1")
    _make(connection, "ada", hash="hash-2")
    with pytest.raises(Invalid, match="the value of the token ada"):
        set_token(connection, "admin", "hash-2")
    with pytest.raises(Conflict, match="there is a token 'admin'"):
        _make(connection, "admin", hash="hash-3")
    (own, _) = list_tokens(connection, 0, 10)
    with pytest.raises(Conflict, match="TAILRACE_ADMIN_TOKEN"):
        remove_token(connection, own.id)
    assert _name(find_token(connection, "hash-1")) == "admin"


def test_tokens_are_listed_as_they_were_made(connection: Connection) -> None:
    before = read_clock(connection)
    made = create_token(connection, "ada", Role.READER, "h", author="admin", life_ms=HOUR_MS)
    assert (made.name, made.role, made.author, made.used_at) == ("ada", Role.READER, "admin", None)
    assert made.expires_at == made.created_at + HOUR_MS
    assert before <= made.created_at <= read_clock(connection)
    later = _make(connection, "bob")
    assert [one.name for one in list_tokens(connection, 0, 10)] == ["ada", "bob"]
    assert [one.id for one in list_tokens(connection, made.id, 10)] == [later]


def test_a_name_is_one_tokens_until_that_is_removed(connection: Connection) -> None:
    id = _make(connection, "ada")
    with pytest.raises(Conflict, match="remove it first"):
        _make(connection, "ada", hash="h-2")
    remove_token(connection, id)
    assert _make(connection, "ada", hash="h-2") > id
    assert find_token(connection, "ada") is None


async def test_a_name_that_is_taken_at_once_is_one_tokens(store: Store) -> None:
    def first(connection: Connection) -> int:
        return _make(connection, "ada", hash="h-1")

    def second(connection: Connection) -> str:
        try:
            _make(connection, "ada", hash="h-2")
        except Conflict:
            return "refused"
        return "made"

    assert (await overlapping(store, first, second))[1] == "refused"


def test_a_removed_token_is_good_for_nothing_any_more(connection: Connection) -> None:
    """Nor are its sessions, nor its sign-in links; another one's are."""
    id, other = _make(connection, "ada"), _make(connection, "bob")
    for name in ("ada", "bob"):
        assert begin_session_of_token(connection, name, f"s-{name}", HOUR_MS) is not None
        add_login_code(connection, f"c-{name}", name, HOUR_MS)
    assert good_among(connection, {id, other, 99}) == {id, other}
    remove_token(connection, id)
    assert [_name(find_token(connection, name)) for name in ("ada", "bob")] == [None, "bob"]
    assert [_name(find_session(connection, f"s-{name}")) for name in ("ada", "bob")] == [None, "bob"]
    assert begin_session(connection, "c-ada", "s-2", HOUR_MS) is None
    assert begin_session_of_token(connection, "ada", "s-3", HOUR_MS) is None
    assert _name(begin_session(connection, "c-bob", "s-4", HOUR_MS)) == "bob"
    assert good_among(connection, {id, other}) == {other}
    assert known_names(connection) == {"bob"}
    with pytest.raises(NotFound, match=f"there is no token {id}"):
        remove_token(connection, id)
    with pytest.raises(NotFound, match="there is no token 'ada'"):
        add_login_code(connection, "c", "ada", HOUR_MS)


def test_an_expired_token_is_as_if_it_were_removed_but_is_listed(connection: Connection) -> None:
    """Also for sessions that began before; its name is not free."""
    id = _make(connection, "ada", life_ms=HOUR_MS)
    begin_session_of_token(connection, "ada", "s", 10 * HOUR_MS)
    add_login_code(connection, "c", "ada", HOUR_MS)
    assert _name(find_session(connection, "s")) == "ada"
    connection.exec_driver_sql(f"UPDATE token SET expires_at = 1 WHERE id = {id}")
    assert find_token(connection, "ada") is None
    assert find_session(connection, "s") is None
    assert begin_session(connection, "c", "s-2", HOUR_MS) is None
    assert begin_session_of_token(connection, "ada", "s-2", HOUR_MS) is None
    assert good_among(connection, {id}) == frozenset()
    assert known_names(connection) == frozenset()
    with pytest.raises(NotFound):
        add_login_code(connection, "c-2", "ada", HOUR_MS)
    assert [one.expires_at for one in list_tokens(connection, 0, 10)] == [1]
    with pytest.raises(Conflict, match="has expired: remove it first"):
        _make(connection, "ada", hash="h-2")


def test_names_are_known_by_role(connection: Connection) -> None:
    for role in Role:
        _make(connection, f"a-{role}", role)
    assert known_names(connection) == {"a-admin", "a-member", "a-reader"}
    assert known_names(connection, Role.MEMBER) == {"a-admin", "a-member"}
    assert known_names(connection, Role.ADMIN) == {"a-admin"}


def test_who_calls_is_one_query(connection: Connection) -> None:
    """Every request asks it, and an index answers."""
    _make(connection, "ada", life_ms=HOUR_MS)
    begin_session_of_token(connection, "ada", "s", HOUR_MS)
    seen: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, values: Any, *_rest: object) -> None:
        seen.append((statement, values))

    event.listen(connection, "before_cursor_execute", note)
    try:
        assert find_token(connection, "ada") == find_session(connection, "s")
    finally:
        event.remove(connection, "before_cursor_execute", note)
    assert len(seen) == 2
    if connection.dialect.name == "sqlite":  # the other has too few rows to care
        for statement, values in seen:
            steps = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            assert all(step.detail.startswith("SEARCH") for step in steps)


def test_a_token_says_when_it_was_used(connection: Connection) -> None:
    id, other = _make(connection, "ada"), _make(connection, "bob")
    before = read_clock(connection)
    stamp_used(connection, {id, 99})
    used = {one.id: one.used_at for one in list_tokens(connection, 0, 10)}
    assert used[other] is None
    assert before <= (used[id] or 0) <= read_clock(connection)


def test_a_code_signs_in_once(connection: Connection) -> None:
    _make(connection, "ada")
    before = read_clock(connection)
    expires = add_login_code(connection, "code", "ada", HOUR_MS)
    assert before + HOUR_MS <= expires <= read_clock(connection) + HOUR_MS
    begun = begin_session(connection, "code", "s-1", HOUR_MS)
    assert begun == find_token(connection, "ada") == find_session(connection, "s-1")
    assert begin_session(connection, "code", "s-2", HOUR_MS) is None
    assert find_session(connection, "s-2") is None


async def test_a_code_that_is_used_twice_at_once_signs_in_once(store: Store) -> None:
    await store.write(set_token, "admin", "hash")
    await store.write(add_login_code, "code", "admin", HOUR_MS)
    callers = await asyncio.gather(*(store.write(begin_session, "code", f"s-{n}", HOUR_MS) for n in range(8)))
    assert sorted(_name(caller) or "" for caller in callers) == [""] * 7 + ["admin"]


def test_an_unknown_or_expired_code_signs_nobody_in(connection: Connection) -> None:
    _make(connection, "ada")
    add_login_code(connection, "old", "ada", -1)
    assert begin_session(connection, "old", "s", HOUR_MS) is None
    assert begin_session(connection, "unknown", "s", HOUR_MS) is None
    assert begin_session_of_token(connection, "unknown", "s", HOUR_MS) is None
    assert find_session(connection, "s") is None


def test_a_session_ends_by_time_and_by_its_owners_word(connection: Connection) -> None:
    _make(connection, "ada")
    for code, life in (("a", -1), ("b", HOUR_MS)):
        add_login_code(connection, code, "ada", HOUR_MS)
        begin_session(connection, code, f"s-{code}", life)
    assert find_session(connection, "s-a") is None
    assert _name(find_session(connection, "s-b")) == "ada"
    end_session(connection, "s-b")
    end_session(connection, "s-b")
    assert find_session(connection, "s-b") is None


def test_what_has_expired_does_not_pile_up(connection: Connection) -> None:
    _make(connection, "ada")
    for n in range(5):
        add_login_code(connection, f"old-{n}", "ada", -1000)
        add_login_code(connection, f"new-{n}", "ada", HOUR_MS)
        begin_session(connection, f"new-{n}", f"s-{n}", -1000)
    for table, most in ((login_code, 6), (session, 1)):
        assert connection.execute(select(func.count()).select_from(table)).scalar_one() <= most
