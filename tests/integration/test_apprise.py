"""The real Apprise, sending to real servers on loopback; skipped where it is not installed.

`pip install apprise` beside Tailrace, or TAILRACE_APPRISE_PYTHON names a Python that has it.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import threading
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs
from xml.etree.ElementTree import fromstring

import pytest

from tailrace.domain.errors import Invalid
from tailrace.domain.notifications import What
from tailrace.guard import Guard
from tailrace.notify import apprise_program
from tailrace.notify.apprise import WHOLE_S, Apprise, find_python
from tailrace.notify.base import Message, Undelivered
from tests.integration.test_commands import tailrace
from tests.integration.test_notifications import wait_sent
from tests.support.certificates import make_certificate
from tests.support.fake_service import FakeService, Says
from tests.support.house import House
from tests.support.lying_server import lying

OPEN = Guard.allowing("allow_private_targets", ["127.0.0.1", "localhost"])
MESSAGE = Message(
    "tr-1-7",
    What.FAILED,
    "shop #4 failed",
    "shop #4 failed\nA title for @everyone\nhttps://ci.example.org/runs/4",
    "one\nboom",
    "https://ci.example.org/runs/4",
    1_700_000_000_123,
)


@pytest.fixture(scope="module")
def python() -> str:
    """A Python that has Apprise."""
    try:
        found = os.environ.get("TAILRACE_APPRISE_PYTHON") or str(find_python())
    except Exception:
        pytest.skip("needs Apprise: pip install apprise")
    asked = json.dumps({"url": "json://localhost"})
    tried = subprocess.run(
        [found, apprise_program.__file__], input=asked, capture_output=True, text=True, check=False
    )
    if tried.returncode == apprise_program.NOT_INSTALLED:
        pytest.skip(f"needs Apprise: pip install apprise ({found} has none)")
    assert tried.returncode == 0, tried.stderr
    return found


@pytest.fixture
def apprise(python: str) -> Apprise:
    return Apprise(OPEN, python)


def address(service: FakeService, scheme: str, rest: str = "/s3cret-topic") -> str:
    return f"{scheme}://{service.url.partition('://')[2]}{rest}"


async def sending(apprise: Apprise, url: str, message: Message = MESSAGE) -> Undelivered | None:
    try:
        await apprise.send({"url": url}, message)
    except Undelivered as error:
        return error
    return None


def told(scheme: str, body: bytes) -> tuple[str, str]:
    """Title and text, as a service of that kind reads them."""
    if scheme == "xml":
        root = fromstring(body)
        found = {one.tag.rpartition("}")[2]: one.text or "" for one in root.iter()}
        return found["Subject"], found["Message"]
    if scheme == "form":
        form = parse_qs(body.decode())
        return form["title"][0], form["message"][0]
    said = json.loads(body)
    if scheme == "mmost":
        title, _, text = said["text"].partition("\n")
        return title.strip("# *\r"), text
    return said["title"], said["message"]


@pytest.mark.parametrize("scheme", ["json", "form", "xml", "ntfy", "gotify", "mmost"])
async def test_a_message_arrives_with_its_title_and_the_end_of_the_log(apprise: Apprise, scheme: str) -> None:
    """At services of several kinds, each in its own form; nobody is called."""
    with FakeService(Says(200, {"id": "1"})) as fake_receiver:
        url = address(fake_receiver, scheme, "/s3crettoken12345")
        await apprise.check(url)
        assert await sending(apprise, url) is None
    (asked,) = fake_receiver.asked
    title, text = told(scheme, asked.body)
    assert title == "shop #4 failed"
    for words in ("https://ci.example.org/runs/4", "one\nboom", "\u200b@everyone"):
        assert words in text


@pytest.mark.parametrize(
    ("says", "final", "unsure", "after_s", "words"),
    [
        (Says(404, "no such topic"), True, False, None, "HTTP 404: no such topic"),
        (Says(401, ""), True, False, None, "HTTP 401"),
        (Says(503, "tea", {"Retry-After": "7"}), False, False, 7.0, "HTTP 503: tea"),
        (Says(302, "", {"Location": "http://127.0.0.1:1/"}), True, False, None, "points elsewhere"),
        (Says(hang_up=True), False, True, None, "Apprise (JSON)"),
    ],
)
async def test_what_a_server_answers_decides(
    apprise: Apprise, says: Says, final: bool, unsure: bool, after_s: float | None, words: str
) -> None:
    """And it is asked once, whatever the address says of retries, redirects and of failures that do not count."""
    with FakeService(says) as fake_receiver:
        url = address(fake_receiver, "json", "/s3cret-topic?retry=3&wait=0&optional=yes&redirect=yes")
        error = await sending(apprise, url)
    assert error is not None
    assert (error.final, error.unsure, error.after_s) == (final, unsure, after_s)
    assert words in str(error)
    assert "s3cret" not in str(error)
    assert len(fake_receiver.asked) == 1


async def test_one_of_several_receivers_makes_a_failure_a_doubt(apprise: Apprise) -> None:
    """An address with two topics: the first has it already."""
    with FakeService(Says(200, {"id": "1"}), Says(500, "oh")) as fake_ntfy:
        error = await sending(apprise, address(fake_ntfy, "ntfy", "/first-topic/second-topic"))
    assert error is not None
    assert (error.final, error.unsure, len(fake_ntfy.asked)) == (False, True, 2)


async def test_a_server_that_never_answers_is_left_in_doubt(python: str) -> None:
    release = threading.Event()
    with FakeService(Says(before=release.wait)) as fake_receiver:
        error = await sending(Apprise(OPEN, python, whole_s=4), address(fake_receiver, "json"))
        release.set()
    assert error is not None
    assert (error.unsure, len(fake_receiver.asked)) == (True, 1)


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found"])
async def test_a_server_that_never_ends_its_answer_takes_no_more_memory_than_it_may(
    apprise: Apprise, status: str
) -> None:
    """The program breaks off, long before its time is over; the message may have arrived."""
    async with lying() as liar:
        liar.endless = True
        liar.answer = lambda _request: f"HTTP/1.1 {status}\r\n\r\n".encode()
        async with asyncio.timeout(WHOLE_S - 15):
            error = await sending(apprise, f"json://127.0.0.1:{liar.port}/s3cret-topic")
    assert error is not None
    assert (error.unsure, len(liar.asked)) == (True, 1)


async def test_the_guard_is_asked_and_nothing_goes_past_it(
    python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor where the server's environment names a proxy, or machines that need none."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with FakeService() as fake_receiver:
        closed = Apprise(Guard.allowing("allow_private_targets", []), python)
        error = await sending(closed, address(fake_receiver, "json"))
        assert error is not None
        assert (error.final, "allow_private_targets" in str(error)) == (True, True)
        assert fake_receiver.asked == []
        assert await sending(Apprise(OPEN, python), address(fake_receiver, "json")) is None


async def test_who_is_not_there_is_tried_again(apprise: Apprise) -> None:
    for url, words in {
        "json://127.0.0.1:1/x": "127.0.0.1",
        "jsons://127.0.0.1:1/x": "127.0.0.1",
        "json://nobody.invalid/x": "nobody.invalid cannot be resolved",
        "jsons://nobody.invalid/x": "nobody.invalid cannot be resolved",
    }.items():
        error = await sending(apprise, url)
        assert error is not None
        assert (error.final, error.unsure) == (False, False)
        assert words in str(error)


async def test_certificates_are_checked(
    apprise: Apprise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless the address says otherwise; REQUESTS_CA_BUNDLE names more that are good."""
    certificate = make_certificate(tmp_path)
    with FakeService(certificate=certificate) as fake_receiver:
        url = address(fake_receiver, "jsons")
        error = await sending(apprise, url)
        assert error is not None
        assert (error.final, "CERTIFICATE_VERIFY_FAILED" in str(error)) == (True, True)
        assert fake_receiver.asked == []
        assert await sending(apprise, f"{url}?verify=no") is None
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        assert await sending(apprise, url) is None


async def test_no_file_of_the_server_leaves_it(apprise: Apprise, tmp_path: Path) -> None:
    """An address may name a template; the fence does not let Apprise read it."""
    template = tmp_path / "template.json"
    template.write_text('{"type": "AdaptiveCard", "body": [{"text": "s3cret"}]}')
    with FakeService(certificate=make_certificate(tmp_path)) as fake_teams:
        url = address(fake_teams, "workflows", f"/workflow/signature?verify=no&template={template}")
        error = await sending(apprise, url)
    assert error is not None
    assert (error.final, "could not be read" in str(error), fake_teams.asked) == (True, True, [])


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("syslog://", "not spoken to by http or https"),
        ("rsyslog://127.0.0.1", "not spoken to by http or https"),
        ("irc://irc.example.org/channel", "not spoken to by http or https"),
        ("aprs://DF1JSL-15:12345@DF1ABC", "not spoken to by http or https"),
        ("mailto://user:hush-hush@example.org", "a channel of kind email is made for it"),
        ("dingtalk://abcdefghijkl", "a channel of kind dingtalk is made for it"),
        ("feishu://abcdefghijkl", "a channel of kind feishu is made for it"),
        ("wecombot://abcdefghijkl", "a channel of kind wecom is made for it"),
        ("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=abcdefghijkl", "kind wecom is made for it"),
        ("nothing://example.org", "Unparseable URL"),
        ("slack://too-few", "Slack"),
        ("exec://touch/x", "Unparseable URL"),
        ("file:///etc/passwd", "Unparseable URL"),
    ],
)
async def test_an_address_that_is_not_used_is_refused_with_why(
    apprise: Apprise, url: str, words: str
) -> None:
    """Before it is saved."""
    with pytest.raises(Invalid) as caught:
        await apprise.check(url)
    assert words in str(caught.value)
    assert "hush" not in str(caught.value)


async def test_an_address_that_is_not_used_is_not_sent_to(apprise: Apprise) -> None:
    """If it were there already."""
    error = await sending(apprise, "syslog://")
    assert error is not None
    assert (error.final, "not spoken to by http" in str(error)) == (True, True)


async def test_a_long_message_is_cut_to_what_the_service_takes(apprise: Apprise) -> None:
    """ntfy takes 7,800 characters: the newest lines of the log are there, the oldest are not."""
    lines = "\n".join(f"line {number} {'x' * 100}" for number in range(200))
    with FakeService(Says(200, {"id": "1"})) as fake_ntfy:
        assert await sending(apprise, address(fake_ntfy, "ntfy"), replace(MESSAGE, lines=lines)) is None
    (asked,) = fake_ntfy.asked
    text = asked.json["message"]
    assert 7000 < len(text) <= 7800
    assert "line 199 " in text
    assert "line 0 " not in text


@pytest.fixture
def home(python: str, tmp_path: Path) -> Generator[House]:
    settings = {"TAILRACE_ALLOW_PRIVATE_TARGETS": "127.0.0.1", "TAILRACE_APPRISE_PYTHON": python}
    with House(tmp_path, **settings) as home:
        home.up()
        yield home


def test_a_run_that_fails_is_told_through_apprise(home: House) -> None:
    """Saved by command, tried, told; its address is shown to nobody, and another one is looked at too."""
    plan = home.script_plan("echo boom; exit 3")
    with FakeService(Says(200, {"id": "1"})) as fake_ntfy:
        url = address(fake_ntfy, "ntfy", "/hush-hush")
        made = tailrace(home, "notify", "add-channel", "apprise", "phones", given=f"url={url}\n")
        assert made.returncode == 0, made.stderr
        id = int(made.stdout)
        tried = tailrace(home, "notify", "test", "phones")
        assert tried.returncode == 0, tried.stderr
        home.post("/api/notification-rules", {"channel": id, "on": ["failed"]})
        run = home.run(plan)
        (shown,) = wait_sent(home, run)
    assert (shown["state"], shown["kind"], shown["last_error"]) == ("sent", "apprise", None)
    trial, message = fake_ntfy.asked
    assert "phones works" in trial.json["title"]
    assert "boom" in message.json["message"]
    assert f"{home.url}/runs/{run}" in message.json["message"]
    assert "hush-hush" not in str(home.get(f"/api/channels/{id}"))
    answer = home.client.patch(f"/api/channels/{id}", json={"secrets": {"url": "syslog://"}})
    assert (answer.status_code, "http or https" in answer.json()["detail"]) == (400, True)
    assert home.get(f"/api/channels/{id}")["secrets"] == ["url"]


def test_a_channel_cannot_be_saved_where_apprise_is_missing(house: House) -> None:
    """The answer says what to install; none is kept."""
    house.environment["TAILRACE_APPRISE_PYTHON"] = "/nonexistent/python"
    house.server()
    wish = {"name": "phones", "settings": {"kind": "apprise"}, "secrets": {"url": "ntfy://example.org/hush"}}
    answer = house.client.post("/api/channels", json=wish)
    assert (answer.status_code, "pip install apprise" in answer.json()["detail"]) == (400, True)
    assert "hush" not in answer.text
    assert house.get("/api/channels")["items"] == []
