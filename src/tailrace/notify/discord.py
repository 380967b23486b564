"""Discord: a channel's webhook. https://discord.com/developers/docs/resources/webhook#execute-webhook"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from tailrace.notify.base import (
    Answer,
    Kind,
    Message,
    Request,
    Target,
    Undelivered,
    check_status,
    encode,
    fit,
)

MOST = 1950
"""Characters, of the 2,000 that a message may have."""
SUPPRESS_EMBEDS = 4
_MARKS = re.compile(r"([\\`*_~|\[\]<>#])")


def make(target: Target, message: Message) -> Request:
    # Marks are escaped, but not in addresses.
    shown = " ".join(
        word if word.startswith(("https://", "http://")) else _MARKS.sub(r"\\\1", word)
        for word in message.text.replace("\n", " \n ").split(" ")
    ).replace(" \n ", "\n")
    text, lines = fit(shown, message.lines.replace("```", "'''"), MOST)
    body: dict[str, Any] = {
        "content": f"{text}\n```\n{lines}\n```" if lines else text,
        "allowed_mentions": {"parse": []},
        "flags": SUPPRESS_EMBEDS,
    }
    parts = urlsplit(target.secrets["url"])
    query = f"{parts.query}&wait=true" if parts.query else "wait=true"  # it answers when the message is there
    return Request(urlunsplit(parts._replace(query=query)), encode(body))


def check(answer: Answer) -> None:
    after_s = answer.json().get("retry_after")
    if answer.status == 429 and isinstance(after_s, int | float):
        raise Undelivered("Discord: too many messages", after_s=after_s)
    check_status(answer)


DISCORD = Kind(make, check)
