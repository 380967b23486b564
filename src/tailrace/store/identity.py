"""Who may call: tokens, and the sessions and one-time codes that are made of them, each known by its SHA-256 alone."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, Row, bindparam, delete, insert, or_, select, update

from tailrace.domain.access import Caller, Role, TokenView
from tailrace.domain.errors import Conflict, Invalid, NotFound
from tailrace.store.clock import now_ms, read_clock
from tailrace.store.tables import login_code as codes
from tailrace.store.tables import session as sessions
from tailrace.store.tables import token as tokens
from tailrace.store.tables import token_live

ADMIN = "admin"
"""The name of the server's own token."""

_GOOD = token_live & or_(tokens.c.expires_at.is_(None), tokens.c.expires_at > now_ms())
_CALLER = select(tokens.c.id, tokens.c.name, tokens.c.role)

# What every request asks is built once: building a statement takes longer than executing it.
_TOKEN = _CALLER.where(tokens.c.hash == bindparam("hash"), _GOOD)
_SESSION = _CALLER.join(sessions, sessions.c.token_id == tokens.c.id).where(
    sessions.c.hash == bindparam("hash"), sessions.c.expires_at > now_ms(), _GOOD
)
_GOOD_AMONG = select(tokens.c.id).where(tokens.c.id.in_(bindparam("ids", expanding=True)), _GOOD)


def set_token(connection: Connection, name: str, hash: str) -> None:
    """The server's own token, an admin's, called `name`, is this one from now on, and no earlier one.

    Raises Invalid for the value of a token that somebody made.
    """
    same = select(tokens.c.name).where(tokens.c.hash == hash, token_live)
    held = connection.execute(same).scalar()
    if held == name:
        return
    if held is not None:
        raise Invalid(
            f"admin_token (TAILRACE_ADMIN_TOKEN): this is the value of the token {held}: choose another, or remove that"
        )
    earlier = select(tokens.c.id).where(tokens.c.name == name, token_live)
    for id in connection.execute(earlier).scalars().all():
        _end(connection, id)
    own = {"name": name, "role": Role.ADMIN.value, "author": None, "expires_at": None}
    revived = connection.execute(update(tokens).where(tokens.c.hash == hash).values(**own, removed_at=None))
    if revived.rowcount == 0:
        connection.execute(insert(tokens).values(hash=hash, created_at=now_ms(), **own))


def create_token(
    connection: Connection, name: str, role: Role, hash: str, *, author: str, life_ms: int | None
) -> TokenView:
    """A new token, good for ever if `life_ms` is None. Raises Conflict for a name that another one has."""
    holder = connection.execute(select(tokens).where(tokens.c.name == name, token_live)).first()
    if holder is not None:
        over = holder.expires_at is not None and holder.expires_at <= read_clock(connection)
        raise Conflict(
            f"there is a token {name!r}{', which has expired' if over else ''}: remove it first, or choose another name"
        )
    now = read_clock(connection)
    made = connection.execute(
        insert(tokens)
        .values(
            name=name,
            role=role.value,
            hash=hash,
            author=author,
            created_at=now,
            expires_at=None if life_ms is None else now + life_ms,
        )
        .returning(tokens)
    ).one()
    return _view(made)


def list_tokens(connection: Connection, after: int, limit: int) -> list[TokenView]:
    """Those that were not removed, in the order in which they were made; also those that have expired."""
    query = select(tokens).where(token_live, tokens.c.id > after).order_by(tokens.c.id).limit(limit)
    return [_view(row) for row in connection.execute(query)]


def remove_token(connection: Connection, id: int) -> None:
    """It is good no more, and neither are the sessions and sign-in links that were made with it.

    Raises NotFound, Conflict for the server's own.
    """
    row = connection.execute(select(tokens).where(tokens.c.id == id, token_live)).first()
    if row is None:
        raise NotFound("token", id)
    if row.author is None:
        raise Conflict(
            f"the token {row.name!r} is the server's own, and would be there again at its next start:"
            " to change it, set admin_token (TAILRACE_ADMIN_TOKEN), or remove its file admin-token, and restart"
        )
    _end(connection, id)


def find_token(connection: Connection, hash: str) -> Caller | None:
    """Who calls with the token of this hash; None when there is none, or it has expired."""
    return _caller(connection.execute(_TOKEN, {"hash": hash}).first())


def good_among(connection: Connection, ids: Collection[int]) -> frozenset[int]:
    """Those of these tokens that were neither removed nor have expired."""
    return frozenset(connection.execute(_GOOD_AMONG, {"ids": list(ids)}).scalars())


def stamp_used(connection: Connection, ids: Collection[int]) -> None:
    """These tokens were used now."""
    connection.execute(update(tokens).where(tokens.c.id.in_(sorted(ids))).values(used_at=now_ms()))


def known_names(connection: Connection, role: Role = Role.READER) -> frozenset[str]:
    """The names of those who may call now, and have this role or more: those of tokens, which sessions have too."""
    covering = [one.value for one in Role if one.covers(role)]
    return frozenset(
        connection.execute(select(tokens.c.name).where(_GOOD, tokens.c.role.in_(covering))).scalars()
    )


def add_login_code(connection: Connection, hash: str, whose: int | str, life_ms: int) -> int:
    """Keep a one-time code that signs in as a token, of this id or name; returns when it expires (ms). Raises NotFound."""
    now = read_clock(connection)
    meant = tokens.c.id == whose if isinstance(whose, int) else tokens.c.name == whose
    token = connection.execute(select(tokens.c.id).where(meant, _GOOD)).scalar()
    if token is None:
        raise NotFound("token", repr(whose))
    connection.execute(delete(codes).where(codes.c.expires_at < now))
    connection.execute(
        insert(codes).values(hash=hash, token_id=token, created_at=now, expires_at=now + life_ms)
    )
    return now + life_ms


def begin_session(connection: Connection, code_hash: str, session_hash: str, life_ms: int) -> Caller | None:
    """Use a code up and begin its session; returns who it is, None for a code that is unknown, used or too old."""
    token = connection.execute(
        update(codes)
        .where(codes.c.hash == code_hash, codes.c.used_at.is_(None), codes.c.expires_at > now_ms())
        .values(used_at=now_ms())
        .returning(codes.c.token_id)
    ).scalar()
    if token is None:
        return None
    return _begin(
        connection,
        connection.execute(_CALLER.where(tokens.c.id == token, _GOOD)).first(),
        session_hash,
        life_ms,
    )


def begin_session_of_token(
    connection: Connection, token_hash: str, session_hash: str, life_ms: int
) -> Caller | None:
    """Begin a session with a token itself; returns who it is, None for one that is unknown, removed or expired."""
    return _begin(connection, connection.execute(_TOKEN, {"hash": token_hash}).first(), session_hash, life_ms)


def find_session(connection: Connection, hash: str) -> Caller | None:
    """Who the session belongs to; None when it or its token has ended."""
    return _caller(connection.execute(_SESSION, {"hash": hash}).first())


def end_session(connection: Connection, hash: str) -> None:
    """Forget a session."""
    connection.execute(delete(sessions).where(sessions.c.hash == hash))


def _begin(connection: Connection, row: Row[int, str, str] | None, hash: str, life_ms: int) -> Caller | None:
    caller = _caller(row)
    if caller is None:
        return None
    now = read_clock(connection)
    connection.execute(delete(sessions).where(sessions.c.expires_at < now))
    connection.execute(
        insert(sessions).values(hash=hash, token_id=caller.token, created_at=now, expires_at=now + life_ms)
    )
    return caller


def _end(connection: Connection, id: int) -> None:
    connection.execute(update(tokens).where(tokens.c.id == id).values(removed_at=now_ms()))
    for table in (sessions, codes):
        connection.execute(delete(table).where(table.c.token_id == id))


def _caller(row: Row[int, str, str] | None) -> Caller | None:
    return None if row is None else Caller(row.id, row.name, Role(row.role))


def _view(row: Row[*tuple[object, ...]]) -> TokenView:
    return TokenView(
        id=row.id,
        name=row.name,
        role=Role(row.role),
        author=row.author,
        created_at=row.created_at,
        used_at=row.used_at,
        expires_at=row.expires_at,
    )
