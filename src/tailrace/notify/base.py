"""What channels have in common: a message, a request made of it, an answer, and what went wrong.

A kind of channel decides purely: `make` gives the request for a message, `check` reads the answer. Whoever sends waits.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from tailrace.domain.errors import TailraceError
from tailrace.domain.notifications import What

_OBJECT: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])
EXCERPT = 200
"""Characters of an answer that an error repeats."""


class Undelivered(TailraceError):
    """A message that did not arrive; `args[0]` says why, without secrets.

    `final`: to try again is in vain. `unsure`: it may have arrived after all. `after_s`: not before so many seconds.
    """

    def __init__(
        self, why: str, *, final: bool = False, unsure: bool = False, after_s: float | None = None
    ) -> None:
        super().__init__(why)
        self.final = final
        self.unsure = unsure
        self.after_s = after_s


@dataclass(frozen=True)
class Message:
    """What is told: `id` is the same each time it is sent; `text` is plain, and `lines` the end of a log.

    `at` is when it happened, in ms since the epoch; `data` is what other programs get of the run.
    """

    id: str
    what: What | None
    subject: str
    text: str
    lines: str
    url: str
    at: int
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Request(NamedTuple):
    """What is posted: `body` is JSON, as bytes."""

    url: str
    body: bytes
    headers: Mapping[str, str] = {}


class Answer(NamedTuple):
    """What came back; names of headers in small letters."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}

    def json(self) -> dict[str, Any]:
        """Its object; empty when it is none."""
        try:
            return _OBJECT.validate_json(self.body)
        except ValueError:
            return {}

    def words(self) -> str:
        """Its beginning, for people."""
        shown = " ".join(self.body[: 4 * EXCERPT].decode(errors="replace").split())
        return shown[:EXCERPT]


class Target(NamedTuple):
    """Where a message goes: a channel's settings (of the kind's own class) and its secrets; `now_ms` is the time."""

    settings: Any
    secrets: Mapping[str, str]
    now_ms: int


class Kind(NamedTuple):
    """A kind of channel that is one request a message; `check` raises Undelivered."""

    make: Callable[[Target, Message], Request]
    check: Callable[[Answer], None]


def encode(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def check_status(answer: Answer, *, patient: bool = False) -> None:
    """Raises Undelivered unless the status is a success; `patient`: what a receiver refuses now, it may take later."""
    if 200 <= answer.status < 300:
        return
    why = f"HTTP {answer.status}: {answer.words()}".rstrip(": ")
    if 300 <= answer.status < 400:
        raise Undelivered(f"{why}; it points elsewhere, which is not followed: set that address", final=True)
    later = answer.status in (408, 425, 429) or answer.status >= 500 or (patient and answer.status != 410)
    raise Undelivered(why, final=not later, after_s=retry_after(answer))


def retry_after(answer: Answer) -> float | None:
    """The seconds of `Retry-After`, if it says any."""
    said = answer.headers.get("retry-after", "")
    try:
        return max(0.0, float(said))
    except ValueError:
        return None


def fit(text: str, lines: str, most: int, size: Callable[[str], int] = len) -> tuple[str, str]:
    """Both so short that together they have at most `most`: the log's oldest lines go first, then the text's end."""
    while lines and size(text) + size(lines) > most:
        _, _, lines = lines.partition("\n")
    while size(text) > most:
        text = text[: max(0, len(text) - max(1, (size(text) - most) // 4)) - 1].rstrip() + "…"
    return text, lines


def joined(text: str, lines: str) -> str:
    """As one plain text."""
    return f"{text}\n\n{lines}" if lines else text


def bytes_of(text: str) -> int:
    return len(text.encode())
