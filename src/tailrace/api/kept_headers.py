"""Which of a webhook's headers are kept to be shown: those that hold no secret, also where a sender put one by mistake."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping

from tailrace.domain.address import without_password

MOST = 2000
"""Characters of a header that are kept."""

_TELLING = re.compile(r"auth|cookie|credential|passw|secret|token|key")
_HARMLESS = {"idempotency-key"}


def kept_headers(
    headers: Mapping[str, str], left_out: Container[str], secret: str | None = None
) -> dict[str, str]:
    """The headers without those that may hold a secret; `left_out` are names in lower case, `secret` is the project's.

    Passwords in addresses are blotted out.
    """
    return {
        name: without_password(value)[:MOST]
        for name, value in headers.items()
        if name.lower() not in left_out
        and (name.lower() in _HARMLESS or _TELLING.search(name.lower()) is None)
        and not (secret and secret in value)
    }
