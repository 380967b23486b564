"""A webhook of our own, signed the Standard Webhooks way: https://www.standardwebhooks.com."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from tailrace.domain.errors import Invalid
from tailrace.domain.model import iso_time
from tailrace.notify.base import Answer, Kind, Message, Request, Target, check_status, encode

PREFIX = "whsec_"


def key_bytes(key: str) -> bytes:
    """The key's bytes; raises Invalid unless it is `whsec_` and base64 of 24 to 64 bytes."""
    try:
        found = base64.b64decode(key.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if not key.startswith(PREFIX) or not 24 <= len(found) <= 64:
        raise Invalid(
            "secrets: key: expected whsec_ and base64 of 24 to 64 bytes, such as"
            " `echo whsec_$(openssl rand -base64 32)` prints"
        )
    return found


def sign(key: str, id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`; `timestamp` in s since the epoch."""
    signed = f"{id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key_bytes(key), signed, hashlib.sha256)).decode()


def make(target: Target, message: Message) -> Request:
    body = encode(
        {
            "type": f"run.{message.what}" if message.what else "test",
            "timestamp": iso_time(message.at),
            "data": {
                "subject": message.subject,
                "text": message.text,
                "lines": message.lines,
                "url": message.url,
                **message.data,
            },
        }
    )
    timestamp = target.now_ms // 1000
    return Request(
        target.settings.url,
        body,
        {
            "webhook-id": message.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(target.secrets["key"], message.id, timestamp, body),
        },
    )


def check(answer: Answer) -> None:
    check_status(answer, patient=True)


WEBHOOK = Kind(make, check)
