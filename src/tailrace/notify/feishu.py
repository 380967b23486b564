"""Feishu (飞书) and Lark: a group's robot. https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

from tailrace.notify.base import Answer, Kind, Message, Request, Target, bytes_of, encode, fit, joined
from tailrace.notify.robots import check_code, unmention

MOST_BYTES = 18_000
LATER = (11232,)
"""Too many messages a minute."""


def signature(secret: str, now_s: int) -> str:
    """Base64 of HMAC-SHA-256 over nothing, keyed with time and secret."""
    return base64.b64encode(hmac.digest(f"{now_s}\n{secret}".encode(), b"", hashlib.sha256)).decode()


def make(target: Target, message: Message) -> Request:
    text = joined(*fit(unmention(message.text), unmention(message.lines), MOST_BYTES, bytes_of))
    body: dict[str, Any] = {"msg_type": "text", "content": {"text": text}}
    if "sign" in target.secrets:
        now_s = target.now_ms // 1000
        body = {"timestamp": str(now_s), "sign": signature(target.secrets["sign"], now_s), **body}
    return Request(target.secrets["url"], encode(body))


def check(answer: Answer) -> None:
    check_code(answer, "Feishu", ("code", "StatusCode"), "msg", LATER)


FEISHU = Kind(make, check)
