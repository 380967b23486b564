"""Telegram: a bot's message to a chat. https://core.telegram.org/bots/api#sendmessage"""

from __future__ import annotations

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
    joined,
)

MOST = 4000
"""UTF-16 units, of the 4,096 that a message may have."""


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def make(target: Target, message: Message) -> Request:
    text = joined(*fit(message.text, message.lines, MOST, _units))
    body = {"chat_id": target.settings.chat, "text": text, "link_preview_options": {"is_disabled": True}}
    return Request(
        f"{target.settings.api.rstrip('/')}/bot{target.secrets['token']}/sendMessage", encode(body)
    )


def check(answer: Answer) -> None:
    said = answer.json()
    if said.get("ok") is True:
        return
    after = said.get("parameters")
    after_s = after.get("retry_after") if isinstance(after, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if isinstance(after_s, int):
        raise Undelivered(f"Telegram: {said.get('description')}", after_s=after_s)
    check_status(answer)
    raise Undelivered(f"Telegram: {said.get('description') or answer.words()}", final=True)


TELEGRAM = Kind(make, check)
