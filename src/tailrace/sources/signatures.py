"""How senders prove that they know a webhook's secret; every comparison takes constant time."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Literal

from tailrace.domain.errors import Unauthorised
from tailrace.sources.base import BodyDiffers, header

Digest = Literal["sha1", "sha256", "sha512"]
Encoding = Literal["hex", "base64"]

TOLERANCE_S = 300
"""How far the time in a Standard Webhooks signature may lie from ours: the specification's advice."""

_STANDARD_SECRET = "whsec_"
_NUMBER = re.compile(r"[0-9]{1,12}")
_ID = re.compile(r"[\x21-\x7e]{1,256}")


def require_secret(secret: bytes, sender: str) -> None:
    """Raise Unauthorised for an empty secret: everybody knows it."""
    if not secret:
        raise Unauthorised(
            f"this project has no webhook secret: give it the one that the webhook has in {sender}"
        )


def verify_token(secret: bytes, given: str, name: str) -> None:
    """Raise Unauthorised unless the header `name` was given the secret itself."""
    # Header values are bytes that were read as Latin-1; the secret is UTF-8.
    if not hmac.compare_digest(given.encode("latin-1", "replace"), secret):
        raise Unauthorised(f"{name} is not the project's webhook secret")


def verify_hmac(
    secret: bytes,
    given: str,
    body: bytes,
    name: str,
    *,
    prefix: str = "",
    digest: Digest = "sha256",
    encoding: Encoding = "hex",
) -> None:
    """Raise Unauthorised unless the header `name` holds the HMAC of this body under the secret, after `prefix`."""
    right = hmac.digest(secret, body, digest)
    size = hashlib.new(digest, usedforsecurity=False).digest_size
    found = _decoded(given.removeprefix(prefix), encoding) if given.startswith(prefix) else None
    if found is None or len(found) != size:
        what = f"{size * 2} hexadecimal digits" if encoding == "hex" else f"{size} bytes in base64"
        raise Unauthorised(f"{name} is malformed: expected {f'{prefix} and ' if prefix else ''}{what}")
    if not hmac.compare_digest(right, found):
        raise BodyDiffers(
            f"{name} does not match this body: the sender's secret is not the project's,"
            " or the body was changed on its way"
        )


def is_standard_secret(secret: bytes) -> bool:
    """Whether this is a secret of the Standard Webhooks kind: `whsec_` and base64."""
    return secret.startswith(_STANDARD_SECRET.encode())


def verify_standard(secret: bytes, headers: Mapping[str, str], body: bytes, now: float) -> None:
    """Raise Unauthorised unless webhook-signature signs id, time and body as Standard Webhooks has it.

    The secret is `whsec_` and base64, or any other text, whose bytes are the key then. `now` is in seconds.
    """
    values: list[str] = []
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        value = header(headers, name)
        if value is None:
            raise Unauthorised(f"{name} is missing: a signature of Standard Webhooks needs it")
        values.append(value)
    id, time, signatures = values
    if _ID.fullmatch(id) is None or _NUMBER.fullmatch(time) is None:
        raise Unauthorised(
            "webhook-id or webhook-timestamp is malformed: expected an id, and seconds since 1970"
        )
    if abs(now - int(time)) > TOLERANCE_S:
        raise Unauthorised(
            f"webhook-timestamp is {abs(round(now - int(time)))} s {'ago' if now > int(time) else 'ahead'}, more than"
            f" {TOLERANCE_S} s: this was sent before, or a clock is wrong"
        )
    right = hmac.digest(_key(secret), f"{id}.{time}.".encode() + body, "sha256")
    versions = [signature.partition(",") for signature in signatures.split()[:16]]
    found = [_decoded(value, "base64") for version, _, value in versions if version == "v1"]
    if not any(hmac.compare_digest(right, one) for one in found if one is not None):
        raise BodyDiffers(
            "webhook-signature does not match this body: the sender's signing secret is not the project's,"
            " or the body was changed on its way"
        )


def _key(secret: bytes) -> bytes:
    if not is_standard_secret(secret):
        return secret
    key = _decoded(secret[len(_STANDARD_SECRET) :].decode(errors="replace"), "base64")
    if not key:
        raise Unauthorised("the project's webhook secret begins with whsec_ but is not base64 after it")
    return key


def _decoded(text: str, encoding: Encoding) -> bytes | None:
    try:
        if encoding == "hex":
            return bytes.fromhex(text) if text.isascii() and text.isalnum() else None
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None
