"""What the robots of DingTalk, WeCom and Feishu have in common: HTTP 200 whatever happened, and a code of their own."""

from __future__ import annotations

from collections.abc import Collection

from tailrace.notify.base import Answer, Undelivered, check_status

SLOWER_S = 60.0
"""Robots count messages by the minute."""


def check_code(answer: Answer, who: str, names: Collection[str], words: str, later: Collection[int]) -> None:
    """Raises Undelivered unless one of the fields `names` is 0; `later` are codes with which it may be tried again."""
    check_status(answer)
    said = answer.json()
    code = next((said[name] for name in names if name in said), None)
    if code == 0:
        return
    if code is None:
        raise Undelivered(f"{who} did not answer as its robots do: {answer.words()}", final=True)
    again = code in later
    raise Undelivered(
        f"{who}: {code} {said.get(words, '')}".rstrip()[:300],
        final=not again,
        after_s=SLOWER_S if again else None,
    )


def unmention(text: str) -> str:
    """The text with marks by which a robot would call people made harmless."""
    return text.replace("<at", "<\N{ZERO WIDTH SPACE}at").replace("<@", "<\N{ZERO WIDTH SPACE}@")
