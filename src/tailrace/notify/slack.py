"""Slack: incoming webhooks. https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks"""

from __future__ import annotations

from tailrace.notify.base import Kind, Message, Request, Target, check_status, encode, fit

MOST = 3800
"""Characters; Slack shows 4,000 as one message."""


def _escape(text: str) -> str:
    # What Slack asks for; it also keeps a commit's title from calling everybody (<!channel>).
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def make(target: Target, message: Message) -> Request:
    text, lines = fit(_escape(message.text), _escape(message.lines).replace("```", "'''"), MOST)
    body = {"text": f"{text}\n```\n{lines}\n```" if lines else text, "unfurl_links": False}
    return Request(target.secrets["url"], encode(body))


SLACK = Kind(make, check_status)
