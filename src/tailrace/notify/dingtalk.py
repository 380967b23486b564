"""DingTalk (钉钉): a group's robot. https://open.dingtalk.com/document/orgapp/custom-robots-send-group-messages"""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import quote_plus

from tailrace.notify.base import Answer, Kind, Message, Request, Target, bytes_of, encode, fit, joined
from tailrace.notify.robots import check_code

MOST_BYTES = 18_000
LATER = (-1, 130101, 130102, 660026, 90018)
"""Busy; too many messages a minute."""


def signature(secret: str, now_ms: int) -> str:
    """Base64 of HMAC-SHA-256 over time and secret, keyed with the secret."""
    signed = f"{now_ms}\n{secret}".encode()
    return base64.b64encode(hmac.digest(secret.encode(), signed, hashlib.sha256)).decode()


def make(target: Target, message: Message) -> Request:
    url = target.secrets["url"]
    if "sign" in target.secrets:
        sign = quote_plus(signature(target.secrets["sign"], target.now_ms))
        url += f"{'&' if '?' in url else '?'}timestamp={target.now_ms}&sign={sign}"
    text = joined(*fit(message.text, message.lines, MOST_BYTES, bytes_of))
    return Request(url, encode({"msgtype": "text", "text": {"content": text}, "at": {"isAtAll": False}}))


def check(answer: Answer) -> None:
    check_code(answer, "DingTalk", ("errcode",), "errmsg", LATER)


DINGTALK = Kind(make, check)
