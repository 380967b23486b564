"""What a client of `/api/live` may say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import orjson

from tailrace.api.numbers import LARGEST
from tailrace.api.times import moment
from tailrace.domain.errors import Invalid

MOST_BYTES = 4096
MOST_LINES = 1_000_000

_TOPIC = re.compile(r"(?:runs|agents|approvals|run/[1-9][0-9]{0,17}|log/[1-9][0-9]{0,17})\Z", re.ASCII)
_KEYS = {"op", "topic", "from", "tail", "at", "whole"}


@dataclass(frozen=True)
class WatchLog:
    """Follow a log from byte `start`, or its last `lines` lines, or from what was written at `at` (ms since the epoch) on;
    `whole`: send every byte, however slow the client reads."""

    topic: str
    log: int
    start: int
    lines: int | None
    at: int | None
    whole: bool


@dataclass(frozen=True)
class WatchTopic:
    """Follow a list or a row."""

    topic: str


@dataclass(frozen=True)
class Unwatch:
    topic: str


def read_wish(text: str | bytes) -> WatchLog | WatchTopic | Unwatch:
    """What a message asks for; raises Invalid, which says what is wrong and what is allowed."""
    if len(text) > MOST_BYTES:
        raise Invalid(f"a message of {len(text)} is too long: at most {MOST_BYTES}")
    try:
        said = orjson.loads(text)
    except ValueError as error:
        raise Invalid(f"the message is not JSON: {error}") from None
    if not isinstance(said, dict):
        raise Invalid('the message must be an object such as {"op":"watch","topic":"runs"}')
    message = cast("dict[str, Any]", said)
    op, topic = message.get("op"), message.get("topic")
    if op not in ("watch", "unwatch"):
        raise Invalid(f"op: {_shown(op)} is unknown; allowed are watch and unwatch")
    if not isinstance(topic, str) or not _TOPIC.match(topic):
        raise Invalid(
            f"topic: {_shown(topic)} is unknown; allowed are runs, agents, approvals, run/ID and log/ID"
        )
    if unknown := message.keys() - _KEYS:
        raise Invalid(f"{min(unknown)[:40]}: unknown; allowed are {', '.join(sorted(_KEYS))}")
    if op == "unwatch":
        return Unwatch(topic)
    if not topic.startswith("log/"):
        return WatchTopic(topic)
    start, lines = _number(message, "from", LARGEST), _number(message, "tail", MOST_LINES)
    at = _moment(message)
    check_one_place({"from": start, "tail": lines, "at": at})
    whole = message.get("whole", False)
    if not isinstance(whole, bool):
        raise Invalid(f"whole: {_shown(whole)} is neither true nor false")
    return WatchLog(topic, int(topic.removeprefix("log/")), start or 0, lines, at, whole)


def check_one_place(named: Mapping[str, int | None]) -> None:
    """Raise Invalid when several places are named to follow a log from."""
    given = [name for name, value in named.items() if value is not None]
    if len(given) > 1:
        raise Invalid(f"{given[0]} and {given[1]}: a log is followed from one place; name one of them")


def _moment(message: dict[str, Any]) -> int | None:
    value = message.get("at")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise Invalid(f"at: {_shown(value)} is neither a time in ISO 8601 nor ms since 1970")
    return moment(str(value), "at")


def _number(message: dict[str, Any], name: str, most: int) -> int | None:
    value = message.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise Invalid(f"{name}: {_shown(value)} is not a whole number from 0 to {most}")
    return value


def _shown(value: object) -> str:
    return repr(value)[:60]
