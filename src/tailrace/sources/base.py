"""The contract of a source: who sent a webhook, and what it says happened."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tailrace.domain.errors import Unauthorised
from tailrace.domain.events import Event

_KEY = re.compile(r"[\x21-\x7e]{1,128}")


@dataclass(frozen=True)
class Ignored:
    """A delivery that is well formed and starts nothing; `why` is a sentence for people."""

    why: str


@dataclass(frozen=True)
class Commit:
    """What a revision is: its full hash, and what a list of runs shows of it.

    `ref` is the full ref that it was found by, or None when only its hash was given; `branch` is the short name of a
    branch or tag, and None for other refs; `time` is the committer's, in UTC; `message` is the whole of it.
    """

    revision: str
    ref: str | None
    branch: str | None
    title: str
    author: str
    time: datetime
    message: str


class BodyDiffers(Unauthorised):
    """The proof is of the right form, and not of this body."""


class Source(Protocol):
    """A forge, as far as its webhooks go.

    It decides nothing about projects or runs, remembers nothing (a delivery that comes twice is read twice: the store
    tells them apart by `delivery_key`), and does no I/O. Headers are found whatever their case.
    """

    @property
    def name(self) -> str:
        """The word in the hook's URL."""
        ...

    @property
    def secret_headers(self) -> frozenset[str]:
        """The headers that hold the secret itself, in lower case: they are never kept."""
        ...

    def verify(self, secret: bytes, headers: Mapping[str, str], body: bytes) -> None:
        """Raise Unauthorised unless the sender of this raw body knows the secret; takes constant time.

        BodyDiffers where another body might do: everything else can be told before there is one.
        """
        ...

    def event_name(self, headers: Mapping[str, str]) -> str | None:
        """The forge's own word for the event, unchecked: for the list of deliveries."""
        ...

    def delivery_key(self, headers: Mapping[str, str]) -> str | None:
        """What is the same when the forge sends the same delivery again; None when it says nothing usable."""
        ...

    def read(self, headers: Mapping[str, str], body: bytes) -> Event | Ignored:
        """What happened. Raises Invalid with the place in the payload, what was found and what is allowed."""
        ...


def header(headers: Mapping[str, str], name: str) -> str | None:
    """The value of a header, whatever the case of its name, without surrounding space."""
    value = headers.get(name)
    if value is None:
        lowered = name.lower()
        value = next((found for key, found in headers.items() if key.lower() == lowered), None)
    return None if value is None else value.strip()


def key_of(headers: Mapping[str, str], *names: str) -> str | None:
    """The first of these headers that can be the key of a delivery."""
    values = (header(headers, name) for name in names)
    return next((value for value in values if value is not None and _KEY.fullmatch(value)), None)
