"""Conditional requests: whoever has a log's bytes already is not sent them again (RFC 9110, section 13)."""

from __future__ import annotations

import re

from starlette.datastructures import Headers

from tailrace.live.hub import LogView

YEAR_S = 365 * 24 * 3600

_TAG = re.compile(r'(?:W/)?("[^"]*")')


def tag_of(log: int, view: LogView) -> str:
    """A strong ETag. A log only grows, so its size says which bytes it has; the CRC-32 is there once it has ended."""
    return f'"{log}-{view.size}"' if view.crc32 is None else f'"{log}-{view.size}-{view.crc32:08x}"'


def cache_control(view: LogView) -> str:
    """A sealed log never changes; of any other, a cache asks whether it has grown. It is for who asked, not for proxies."""
    return f"private, max-age={YEAR_S}, immutable" if view.state == "sealed" else "private, no-cache"


def is_held(headers: Headers, tag: str) -> bool:
    """Whether If-None-Match says that the client has what it asks for."""
    held = headers.get("if-none-match")
    return held is not None and (held.strip() == "*" or tag in _TAG.findall(held))


def range_holds(headers: Headers, tag: str) -> bool:
    """Whether a Range is to be heeded: not when If-Range names something else than the log as it is now."""
    held = headers.get("if-range")
    return held is None or held.strip() == tag
