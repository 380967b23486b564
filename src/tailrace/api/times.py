"""Moments in addresses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from tailrace.domain.errors import Invalid

_EPOCH_MS = re.compile(r"[0-9]{1,15}\Z", re.ASCII)
_OFFSET = re.compile(r"(T.*) ([0-9]{2}:?[0-9]{2})\Z", re.ASCII)


def moment(text: str, name: str) -> int:
    """The moment that `text` says, in ms since the epoch; ISO 8601 without a zone is UTC. Raises Invalid, which names the
    parameter."""
    if _EPOCH_MS.match(text):
        return int(text)
    try:
        # A + in an address that was not escaped arrives as a space.
        said = datetime.fromisoformat(_OFFSET.sub(r"\1+\2", text))
        if said.tzinfo is None:
            said = said.replace(tzinfo=UTC)
        since = said - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        raise Invalid(
            f"{name}: {text[:40]!r} is not a time; allowed are ISO 8601 such as 2026-11-21T10:00:00Z,"
            " or ms since 1970"
        ) from None
    ms = (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000
    if ms < 0:
        raise Invalid(f"{name}: {text[:40]!r} is before 1970, and no log is as old")
    return ms


def moment_in(query: Mapping[str, str], name: str) -> int | None:
    """The parameter as a moment; None when it is not there."""
    text = query.get(name)
    return None if text is None else moment(text, name)
