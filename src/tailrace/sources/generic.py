"""Webhooks of anything that can post JSON or a form: what is in them is found by paths that the project names."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import cast

from pydantic import ConfigDict

from tailrace.domain.errors import Invalid, Unauthorised
from tailrace.domain.events import MOST_PATHS, Event, EventKind
from tailrace.domain.hooks import GenericHook, HmacProof, Picks, TokenProof
from tailrace.domain.picking import Work, parse_path
from tailrace.domain.trust import is_strangers
from tailrace.sources.base import Ignored, header, key_of
from tailrace.sources.fields import A_HASH, A_REF, link
from tailrace.sources.forms import FORM, JSON, form_fields, media_type
from tailrace.sources.names import is_hash, is_null, is_ref_name, short_name
from tailrace.sources.payload import Payload, first_line, read_payload, shown
from tailrace.sources.signatures import require_secret, verify_hmac, verify_standard, verify_token

TOKEN = "X-Tailrace-Token"
SIGNATURE = "X-Tailrace-Signature"
MAX_VALUE_BYTES = 64 * 1024
"""Of a value: Linux gives a program no variable of more than 128 KiB."""

MAX_BODY_BYTES = 5 * 1024 * 1024
"""Everything in it is read, not only what is known: that takes forty times the memory."""

_SIGNATURES = (SIGNATURE, "X-Hub-Signature-256")
_NEWEST = GenericHook()


class _Anything(Payload):
    """Any JSON object, with all that is in it."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)


class Generic:
    """Webhooks as a project's `hook` describes them. `clock` gives seconds since 1970: signatures carry their time."""

    def __init__(self, hook: GenericHook = _NEWEST, clock: Callable[[], float] = time.time) -> None:
        self._hook = hook
        self._clock = clock

    @property
    def name(self) -> str:
        """The word in the hook's URL."""
        return "generic"

    @property
    def secret_headers(self) -> frozenset[str]:
        """The header that the secret comes in."""
        proof = self._hook.proof
        own = {proof.header.lower()} if isinstance(proof, TokenProof) else set[str]()
        return frozenset({TOKEN.lower()} | own)

    def verify(self, secret: bytes, headers: Mapping[str, str], body: bytes) -> None:
        """Raise Unauthorised unless the sender knows the secret, and proves it as the project wants it."""
        require_secret(secret, "the sender")
        match self._hook.proof:
            case TokenProof(header=name, prefix=prefix):
                given = _required(headers, name)
                if not given.startswith(prefix):
                    raise Unauthorised(f"{name} does not begin with {prefix!r}")
                verify_token(secret, given.removeprefix(prefix), name)
            case HmacProof(header=name, prefix=prefix, digest=digest, encoding=encoding):
                given = _required(headers, name)
                verify_hmac(secret, given, body, name, prefix=prefix, digest=digest, encoding=encoding)
            case None:
                self._verify_usual(secret, headers, body)

    def _verify_usual(self, secret: bytes, headers: Mapping[str, str], body: bytes) -> None:
        if header(headers, "webhook-signature") is not None:
            verify_standard(secret, headers, body, self._clock())
            return
        for name in _SIGNATURES:
            if (given := header(headers, name)) is not None:
                verify_hmac(secret, given, body, name, prefix="sha256=")
                return
        if (given := header(headers, TOKEN)) is not None:
            verify_token(secret, given, TOKEN)
            return
        kind, _, given = (header(headers, "Authorization") or "").partition(" ")
        if kind.lower() == "bearer":
            verify_token(secret, given.strip(), "Authorization")
            return
        raise Unauthorised(
            f"no proof: send the project's secret in {TOKEN} or as `Authorization: Bearer`, or sign the body with it"
            f" ({SIGNATURE}: sha256= and the HMAC-SHA256 in hexadecimal, or as Standard Webhooks has it)"
        )

    def event_name(self, headers: Mapping[str, str]) -> str | None:
        """None: what happened is in the body."""
        return None

    def delivery_key(self, headers: Mapping[str, str]) -> str | None:
        """The header that the project names, or Idempotency-Key, or webhook-id."""
        own = () if self._hook.key is None else (self._hook.key,)
        return key_of(headers, *own, "Idempotency-Key", "webhook-id")

    def read(self, headers: Mapping[str, str], body: bytes) -> Event | Ignored:
        """What happened. Raises Invalid with the part, what was found for it and what is allowed."""
        payload = _payload(header(headers, "Content-Type"), body)
        work = Work()  # for all of its paths together
        for path, wanted in self._hook.only.items():
            found = _text(parse_path(path).pick(payload, work), path)
            if found not in wanted:
                said = "nothing" if found is None else shown(found)
                return Ignored(f"{path} is {said}: wanted is {', '.join(map(shown, wanted)) or 'nothing'}")
        return _event(_Parts(self._hook.picks, payload, work), _values(self._hook, payload, work))


class _Parts:
    """The parts of an event in a payload."""

    def __init__(self, picks: Picks, payload: dict[str, object], work: Work) -> None:
        self._picks = picks
        self._payload = payload
        self._work = work

    def found(self, part: str) -> object:
        """The value of a part, or None; raises Invalid when its path finds nothing."""
        path = cast("str | None", getattr(self._picks, part))
        if path is None:
            return self._payload.get(part)
        found = parse_path(path).pick(self._payload, self._work)
        if found is None:
            raise Invalid(f"{part}: its path {path} finds nothing; one that may find nothing ends with || ''")
        return found

    def text(self, part: str) -> str | None:
        """A part as text, or None for nothing and for an empty one; raises Invalid for lists and objects."""
        return _text(self.found(part), part) or None


def _event(parts: _Parts, values: dict[str, str]) -> Event:
    ref = _ref(parts)
    revision = parts.text("revision")
    if revision is not None:
        revision = _revision(revision, named=ref is not None)
    deleted = revision is not None and is_null(revision)
    message = parts.text("message")
    title = parts.text("title") or message
    before = parts.text("before")
    if before is not None and not is_hash(before := before.lower()):
        raise Invalid(f"before: expected {A_HASH}, found {shown(before)}")
    author = parts.text("author")
    return Event(
        kind=_kind(ref),
        ref=ref,
        branch=(short_name(ref) or ref) if ref else None,
        revision=None if deleted else revision,
        title=first_line(title) if title else None,
        author=first_line(author) if author else None,
        deleted=deleted,
        action=_action(parts.text("action")),
        from_fork=is_strangers(revision),
        url=link(parts.text("url")),
        before=None if before is None or is_null(before) else before,
        message=message,
        changed=_changed(parts.found("changed")),
        default_branch=parts.text("default_branch"),
        values=values,
    )


def _kind(ref: str | None) -> EventKind:
    if ref is None:
        return EventKind.CHANGE
    return EventKind.TAG if ref.startswith("refs/tags/") else EventKind.PUSH


def _ref(parts: _Parts) -> str | None:
    """The full ref: as it is, or of a tag or a branch by its short name; the first that is there."""
    full, tag, branch = (parts.text(part) for part in ("ref", "tag", "branch"))
    if full is not None:
        if short_name(full) is None or not is_ref_name(full):
            raise Invalid(f"ref: expected {A_REF} or refs/tags/v1, found {shown(full)}")
        return full
    for part, name, space in (("tag", tag, "refs/tags/"), ("branch", branch, "refs/heads/")):
        if name is not None:
            if not is_ref_name(name):
                raise Invalid(f"{part}: expected the name of a {part}, found {shown(name)}")
            return name if name.startswith(space) else space + name
    return None


def _revision(text: str, *, named: bool) -> str:
    lowered = text.lower()
    if is_hash(lowered):
        return lowered
    if named:
        raise Invalid(f"revision: expected {A_HASH} where a branch or tag is named, found {shown(text)}")
    if not is_ref_name(text):
        raise Invalid(f"revision: expected {A_HASH}, or the name of a revision, found {shown(text)}")
    return text


def _action(text: str | None) -> str | None:
    return None if text is None else first_line(text, 64)


def _changed(value: object) -> tuple[str, ...] | None:
    if value is None or value == "":
        return None
    paths = cast("list[object]", value) if isinstance(value, list) else [value]
    wrong = next((path for path in paths if not isinstance(path, str)), None)
    if wrong is not None or None in paths:
        raise Invalid(f"changed: expected a list of paths, found {shown(wrong)} in it")
    found = {path for path in paths if isinstance(path, str)}
    return tuple(sorted(found)) if len(found) <= MOST_PATHS else None


def _values(hook: GenericHook, payload: dict[str, object], work: Work) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, path in hook.values.items():
        found = parse_path(path).pick(payload, work)
        if found is None:
            raise Invalid(
                f"values.{name}: its path {path} finds nothing; one that may find nothing ends with || ''"
            )
        scalar = found if isinstance(found, str | int | float) else None
        text = json.dumps(found, ensure_ascii=False) if scalar is None else _text(scalar, name) or ""
        size = len(text.encode(errors="replace"))
        if size > MAX_VALUE_BYTES:
            raise Invalid(f"values.{name}: {size} bytes; a variable may have {MAX_VALUE_BYTES}")
        values[name] = text
    return values


def _text(found: object, part: str) -> str | None:
    """A text, a number or a boolean as text; raises Invalid for lists and objects."""
    if found is None or isinstance(found, str):
        return found
    if isinstance(found, bool | int | float):
        return json.dumps(found)
    raise Invalid(f"{part}: expected a text, found {shown(found)}")


def _payload(content_type: str | None, body: bytes) -> dict[str, object]:
    if len(body) > MAX_BODY_BYTES:
        raise Invalid(f"{len(body)} bytes: a generic webhook may have {MAX_BODY_BYTES}")
    if not body.strip():
        return {}
    media = media_type(content_type)
    if media == FORM:
        if body.lstrip().startswith((b"{", b"[")):
            raise Invalid(
                "a form that looks like JSON: say so with the header Content-Type: application/json"
            )
        fields = form_fields(body)
        if "payload" not in fields:
            return dict[str, object](fields)
        body = fields["payload"].encode()
    elif media != JSON and not media.endswith("+json"):
        raise Invalid(f"Content-Type: expected {JSON} or {FORM}, found {shown(content_type)}")
    return read_payload(_Anything, body).model_extra or {}


def _required(headers: Mapping[str, str], name: str) -> str:
    given = header(headers, name)
    if given is None:
        raise Unauthorised(f"{name} is missing: the project wants the sender's proof there")
    return given
