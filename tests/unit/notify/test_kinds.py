"""What each kind of channel is sent, and how its answers are read.

The answers are those that the services document; the signatures are made again here, as their documentation says.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tailrace.domain.channels import (
    CHANNEL_SETTINGS,
    EmailSettings,
    TelegramSettings,
    WebhookSettings,
    check_secrets,
)
from tailrace.domain.errors import Invalid
from tailrace.domain.notifications import What
from tailrace.notify.base import Answer, Message, Request, Target, Undelivered
from tailrace.notify.kinds import KINDS
from tailrace.notify.webhook import key_bytes

NOW_MS = 1_700_000_000_123
MESSAGE = Message(
    "tr-1-7",
    What.FAILED,
    "shop #4 failed",
    'shop #4 failed: <!channel> @everyone [x](http://evil) <at user_id="all">\nhttps://ci.example.org/runs/4',
    "one\n```two```",
    "https://ci.example.org/runs/4",
    NOW_MS,
)
LONG = Message("tr-1-8", What.FAILED, "s", "的" * 30_000, "\n".join(["行" * 300] * 200), "https://x", NOW_MS)
SETTINGS: dict[str, dict[str, Any]] = {
    "telegram": {"chat": "-100123"},
    "webhook": {"url": "https://example.org/hook"},
}
SECRETS: dict[str, dict[str, str]] = {
    "slack": {"url": "https://hooks.slack.com/services/T/B/X"},
    "teams": {"url": "https://example.org/workflows/x"},
    "telegram": {"token": "12:ab"},
    "discord": {"url": "https://discord.com/api/webhooks/1/x"},
    "dingtalk": {"url": "https://oapi.dingtalk.com/robot/send?access_token=x", "sign": "SECkey"},
    "wecom": {"url": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=x"},
    "feishu": {"url": "https://open.feishu.cn/open-apis/bot/v2/hook/x", "sign": "key"},
    "webhook": {"key": "whsec_" + base64.b64encode(bytes(32)).decode()},
}


def target(kind: str) -> Target:
    settings = CHANNEL_SETTINGS.validate_python({"kind": kind, **SETTINGS.get(kind, {})})
    check_secrets(settings, SECRETS[kind])
    return Target(settings, SECRETS[kind], NOW_MS)


def made(kind: str, message: Message = MESSAGE) -> Request:
    of = target(kind)
    return KINDS[of.settings.kind].make(of, message)


def body(request: Request) -> Any:
    return Answer(200, request.body).json()


def test_slack_calls_nobody() -> None:
    """Its three signs are escaped, so that a commit's title is no command; the log is a block."""
    text = body(made("slack"))["text"]
    assert "&lt;!channel&gt;" in text
    assert text.endswith("\n```\none\n'''two'''\n```")


def test_discord_calls_nobody() -> None:
    """No mention is allowed, marks are escaped, and it is asked to answer when the message is there."""
    request = made("discord")
    assert request.url.endswith("/api/webhooks/1/x?wait=true")
    said = body(request)
    assert said["allowed_mentions"] == {"parse": []}
    assert r"\[x\]" in said["content"]
    assert "https://ci.example.org/runs/4" in said["content"]


def test_teams_gets_a_card() -> None:
    """An adaptive card with the text, the log, and a link."""
    (attachment,) = body(made("teams"))["attachments"]
    card = attachment["content"]
    assert (attachment["contentType"], card["type"]) == (
        "application/vnd.microsoft.card.adaptive",
        "AdaptiveCard",
    )
    assert card["body"][1]["inlines"][0]["text"] == MESSAGE.lines
    assert card["actions"][0]["url"] == MESSAGE.url


def test_telegram_is_sent_plain_text() -> None:
    """Without a parse mode nothing in it is markup."""
    request = made("telegram")
    assert request.url == "https://api.telegram.org/bot12:ab/sendMessage"
    said = body(request)
    assert (said["chat_id"], "parse_mode" in said) == ("-100123", False)
    assert said["text"] == f"{MESSAGE.text}\n\n{MESSAGE.lines}"


def test_dingtalk_is_signed() -> None:
    """base64(HMAC-SHA-256(key=secret, "time\\nsecret")), in the address."""
    request = made("dingtalk")
    query = parse_qs(urlsplit(request.url).query)
    mac = hmac.digest(b"SECkey", f"{NOW_MS}\nSECkey".encode(), hashlib.sha256)
    assert query == {
        "access_token": ["x"],
        "timestamp": [str(NOW_MS)],
        "sign": [base64.b64encode(mac).decode()],
    }
    assert body(request)["at"] == {"isAtAll": False}


def test_feishu_is_signed() -> None:
    """base64(HMAC-SHA-256(key="time\\nsecret", "")), in the body; nobody is called."""
    said = body(made("feishu"))
    mac = hmac.digest(f"{NOW_MS // 1000}\nkey".encode(), b"", hashlib.sha256)
    assert (said["timestamp"], said["sign"]) == (str(NOW_MS // 1000), base64.b64encode(mac).decode())
    assert "<at " not in said["content"]["text"]


def test_the_standard_webhooks_example_verifies() -> None:
    """The example of the specification's own libraries."""
    from tailrace.notify.webhook import sign

    made = sign(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("kind", "most", "units"),
    [
        ("slack", 4000, "utf-32-le"),
        ("discord", 2000, "utf-32-le"),
        ("telegram", 4096, "utf-16-le"),
        ("wecom", 2048, "utf-8"),
        ("dingtalk", 20_000, "utf-8"),
        ("feishu", 20_000, "utf-8"),
        ("teams", 28_000, "utf-8"),
    ],
)
def test_no_message_is_longer_than_its_service_takes(kind: str, most: int, units: str) -> None:
    """The text is cut, its beginning stays."""
    said = body(made(kind, LONG))
    text: str = {
        "slack": lambda: said["text"],
        "telegram": lambda: said["text"],
        "discord": lambda: said["content"],
        "wecom": lambda: said["text"]["content"],
        "dingtalk": lambda: said["text"]["content"],
        "feishu": lambda: said["content"]["text"],
        "teams": lambda: said["attachments"][0]["content"]["body"][0]["text"],
    }[kind]()
    size = len(text.encode(units)) // {"utf-32-le": 4, "utf-16-le": 2, "utf-8": 1}[units]
    assert most / 2 < size <= most
    assert text.startswith("的的的")


@pytest.mark.parametrize(
    ("kind", "status", "said"),
    [
        ("slack", 200, b"ok"),
        ("teams", 202, b""),
        ("teams", 200, b"1"),
        ("telegram", 200, b'{"ok":true,"result":{}}'),
        ("discord", 200, b'{"id":"1"}'),
        ("discord", 204, b""),
        ("dingtalk", 200, b'{"errcode":0,"errmsg":"ok"}'),
        ("wecom", 200, b'{"errcode":0,"errmsg":"ok"}'),
        ("feishu", 200, b'{"code":0,"msg":"success","data":{}}'),
        ("feishu", 200, b'{"StatusCode":0,"StatusMessage":"success"}'),
        ("webhook", 204, b""),
    ],
)
def test_an_answer_that_means_it_was_taken(kind: str, status: int, said: bytes) -> None:
    KINDS[target(kind).settings.kind].check(Answer(status, said))


@pytest.mark.parametrize(
    ("kind", "status", "said", "final", "after_s", "words"),
    [
        ("slack", 403, b"invalid_token", True, None, "invalid_token"),
        ("slack", 500, b"rollup_error", False, None, "HTTP 500"),
        ("teams", 200, b"Webhook message delivery failed with error: HTTP 404", True, None, "404"),
        ("teams", 200, b"Webhook message delivery failed with error: HTTP 429", False, None, "429"),
        ("telegram", 400, b'{"ok":false,"description":"chat not found"}', True, None, "chat not found"),
        (
            "telegram",
            429,
            b'{"ok":false,"description":"Too Many Requests","parameters":{"retry_after":35}}',
            False,
            35,
            "Too Many",
        ),
        ("discord", 429, b'{"message":"rate limited","retry_after":1.5}', False, 1.5, "too many"),
        ("discord", 404, b'{"message":"Unknown Webhook","code":10015}', True, None, "Unknown Webhook"),
        ("dingtalk", 200, b'{"errcode":310000,"errmsg":"sign not match"}', True, None, "sign not match"),
        ("dingtalk", 200, b'{"errcode":130101,"errmsg":"send too fast"}', False, 60, "send too fast"),
        ("dingtalk", 200, b"<html>", True, None, "did not answer as"),
        ("wecom", 200, b'{"errcode":93000,"errmsg":"invalid webhook url"}', True, None, "93000"),
        ("wecom", 200, b'{"errcode":45009,"errmsg":"api freq out of limit"}', False, 60, "45009"),
        ("feishu", 200, b'{"code":19021,"msg":"sign match fail"}', True, None, "sign match fail"),
        ("feishu", 200, b'{"code":11232,"msg":"frequency limited"}', False, 60, "frequency"),
        ("webhook", 404, b"", False, None, "HTTP 404"),
        ("webhook", 410, b"", True, None, "HTTP 410"),
        ("webhook", 302, b"", True, None, "not followed"),
    ],
)
def test_an_answer_that_means_it_was_not(
    kind: str, status: int, said: bytes, final: bool, after_s: float | None, words: str
) -> None:
    """With HTTP 200 too: robots say what happened in a code of their own."""
    with pytest.raises(Undelivered, match=words) as caught:
        KINDS[target(kind).settings.kind].check(Answer(status, said))
    assert (caught.value.final, caught.value.after_s) == (final, after_s)


@pytest.mark.parametrize(
    ("kind", "settings", "words"),
    [
        ("webhook", {"url": "ftp://example.org"}, "expected an address"),
        ("webhook", {"url": "https://x", "template": "${nmae}"}, "unknown name nmae; allowed are"),
        ("webhook", {"url": "https://x", "template": "5$ "}, "a \\$ that begins no name"),
        ("telegram", {"chat": "a chat"}, "chat"),
        ("slack", {"url": "https://in.public"}, "url"),
        ("github", {"repository": "../x"}, "expected OWNER/NAME"),
        ("email", {"host": "h", "sender": "a\nb@c", "to": ["a@b"]}, "sender"),
    ],
)
def test_settings_that_cannot_be_are_refused(kind: str, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        CHANNEL_SETTINGS.validate_python({"kind": kind, **settings})


def test_secrets_are_those_that_the_kind_takes() -> None:
    """The message never has a value."""
    settings = TelegramSettings(chat="1")
    for secrets, words in (({}, "token is missing"), ({"token": "t", "sign": "hush"}, "'sign' is unknown")):
        with pytest.raises(Invalid, match=words) as caught:
            check_secrets(settings, secrets)
        assert "hush" not in str(caught.value)
    with pytest.raises(Invalid, match="password is missing"):
        check_secrets(EmailSettings(host="h", user="u", sender="a@b.c", to=("a@b.c",)), {})
    for key in ("whsec_", "whsec_!", base64.b64encode(bytes(32)).decode(), "whsec_" + "A" * 16):
        with pytest.raises(Invalid, match="expected whsec_"):
            key_bytes(key)
    check_secrets(WebhookSettings(url="https://x"), {"key": "whsec_x"})
