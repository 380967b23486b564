"""Durations as people write them."""

from __future__ import annotations

import re

DURATION_FORMS = "whole seconds, or hours, minutes and seconds such as 90s, 20m, 2h or 1h30m"
_SECONDS = re.compile(r"[0-9]{1,9}")
_PARTS = re.compile(r"(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,9})s)?")


def parse_duration(text: str) -> int | None:
    """Return the seconds that `text` names (`90`, `90s`, `20m`, `2h`, `1h30m`), or None when it names none."""
    if _SECONDS.fullmatch(text):
        return int(text)
    parts = _PARTS.fullmatch(text)
    if not text or parts is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in parts.groups())
    return hours * 3600 + minutes * 60 + seconds
