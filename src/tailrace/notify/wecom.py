"""WeCom (企业微信): a group's robot. https://developer.work.weixin.qq.com/document/path/91770"""

from __future__ import annotations

from tailrace.notify.base import Answer, Kind, Message, Request, Target, bytes_of, encode, fit, joined
from tailrace.notify.robots import check_code, unmention

MOST_BYTES = 2000
"""Of the 2,048 that a text may have."""
LATER = (-1, 45009)
"""Busy; too many messages a minute."""


def make(target: Target, message: Message) -> Request:
    text = joined(*fit(unmention(message.text), unmention(message.lines), MOST_BYTES, bytes_of))
    return Request(target.secrets["url"], encode({"msgtype": "text", "text": {"content": text}}))


def check(answer: Answer) -> None:
    check_code(answer, "WeCom", ("errcode",), "errmsg", LATER)


WECOM = Kind(make, check)
