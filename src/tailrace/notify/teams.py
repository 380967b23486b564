"""Microsoft Teams: a workflow that posts the adaptive card which it receives."""

from __future__ import annotations

import re
from typing import Any

from tailrace.notify.base import (
    Answer,
    Kind,
    Message,
    Request,
    Target,
    Undelivered,
    bytes_of,
    check_status,
    encode,
    fit,
)

MOST_BYTES = 20_000
"""Teams takes 28 KB, with the card around them."""
_MARKS = re.compile(r"([\\`*_~\[\]<>#|-])")


def make(target: Target, message: Message) -> Request:
    text, lines = fit(message.text, message.lines, MOST_BYTES, bytes_of)
    blocks: list[dict[str, Any]] = [
        # A card's text is markdown, and a newline alone is none in it.
        {"type": "TextBlock", "text": _MARKS.sub(r"\\\1", text).replace("\n", "\n\n"), "wrap": True}
    ]
    if lines:
        blocks.append(
            {
                "type": "RichTextBlock",
                "inlines": [{"type": "TextRun", "text": lines, "fontType": "Monospace", "size": "Small"}],
            }
        )
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": blocks,
        "actions": [{"type": "Action.OpenUrl", "title": "Tailrace", "url": message.url}],
    }
    content = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return Request(target.secrets["url"], encode({"type": "message", "attachments": [content]}))


def check(answer: Answer) -> None:
    check_status(answer)
    if b"delivery failed with error" in answer.body:  # said with a 200 by the older connectors
        raise Undelivered(f"Teams: {answer.words()}", final=b"429" not in answer.body)


TEAMS = Kind(make, check)
