"""Who may call: tokens, sessions and one-time codes, each known by its SHA-256 alone."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from tailrace.store.clock import now_ms, read_clock
from tailrace.store.tables import login_code as codes
from tailrace.store.tables import session as sessions
from tailrace.store.tables import token as tokens

# What every request asks is built once: building a statement takes longer than executing it.
_TOKEN = select(tokens.c.name).where(tokens.c.hash == bindparam("hash"), tokens.c.removed_at.is_(None))
_NAMES = select(tokens.c.name).where(tokens.c.removed_at.is_(None))
_SESSION = select(sessions.c.name).where(
    sessions.c.hash == bindparam("hash"), sessions.c.expires_at > bindparam("now")
)


def set_token(connection: Connection, name: str, hash: str) -> None:
    """The token called `name` is this one from now on, and no earlier one."""
    same = select(tokens.c.id).where(tokens.c.hash == hash, tokens.c.removed_at.is_(None))
    if connection.execute(same).first():
        return
    connection.execute(
        update(tokens).where(tokens.c.name == name, tokens.c.removed_at.is_(None)).values(removed_at=now_ms())
    )
    revived = connection.execute(
        update(tokens).where(tokens.c.hash == hash).values(name=name, removed_at=None)
    )
    if revived.rowcount == 0:
        connection.execute(insert(tokens).values(name=name, hash=hash, created_at=now_ms()))


def find_token(connection: Connection, hash: str) -> str | None:
    """The name of the token with this hash."""
    return connection.execute(_TOKEN, {"hash": hash}).scalar()


def known_names(connection: Connection) -> frozenset[str]:
    """The names that whoever calls may have: those of tokens, which are also those of who signs in."""
    return frozenset(connection.execute(_NAMES).scalars())


def add_login_code(connection: Connection, hash: str, name: str, life_ms: int) -> int:
    """Keep a one-time code that signs `name` in; returns when it expires (ms)."""
    now = read_clock(connection)
    connection.execute(delete(codes).where(codes.c.expires_at < now))
    connection.execute(insert(codes).values(hash=hash, name=name, created_at=now, expires_at=now + life_ms))
    return now + life_ms


def begin_session(connection: Connection, code_hash: str, session_hash: str, life_ms: int) -> str | None:
    """Use a code up and begin its session; returns who it is, None for a code that is unknown, used or too old."""
    now = read_clock(connection)
    name = connection.execute(
        update(codes)
        .where(codes.c.hash == code_hash, codes.c.used_at.is_(None), codes.c.expires_at > now)
        .values(used_at=now)
        .returning(codes.c.name)
    ).scalar()
    if name is None:
        return None
    connection.execute(delete(sessions).where(sessions.c.expires_at < now))
    connection.execute(
        insert(sessions).values(hash=session_hash, name=name, created_at=now, expires_at=now + life_ms)
    )
    return name


def find_session(connection: Connection, hash: str) -> str | None:
    """Who the session belongs to."""
    return connection.execute(_SESSION, {"hash": hash, "now": read_clock(connection)}).scalar()


def end_session(connection: Connection, hash: str) -> None:
    """Forget a session."""
    connection.execute(delete(sessions).where(sessions.c.hash == hash))
