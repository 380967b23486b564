"""How Apprise is asked, bounded and believed; a stand-in is asked in its place, which goes by the proxy that it is given."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tailrace.domain.channels import AppriseSettings, check_secrets
from tailrace.domain.errors import Invalid
from tailrace.domain.notifications import What, When
from tailrace.guard import Guard
from tailrace.notify.apprise import Apprise, find_python, interpreter_of
from tailrace.notify.base import Message, Undelivered
from tests.support.fake_service import FakeService, Says
from tests.support.processes import ended
from tests.support.stand_in_apprise import TAKEN, stand_in
from tests.support.waiting import wait_for
from tests.unit.notify.world import World

URL = "json://user:hush-hush@example.org/s3cret-topic?token=even%2Fmore"
MESSAGE = Message(
    "tr-1-7",
    What.FAILED,
    "shop #4 failed",
    "shop #4 failed\n@everyone <!channel> [x](http://evil) ada@example.org\nhttps://ci.example.org/runs/4",
    "one\n@here",
    "https://ci.example.org/runs/4",
    1_700_000_000_123,
)
OPEN = Guard.allowing("allow_private_targets", ["127.0.0.1"])
CLOSED = Guard.allowing("allow_private_targets", [])
ASK = "exec 3>&1 1>&2; python3 -c \"import urllib.request as r; r.urlopen('http://{0}/x', b'hello')\"; exec 1>&3"
"""Posts to a server as Apprise would: by the proxy of the environment."""


def failed(*exchanges: dict[str, Any], words: str = "it failed") -> dict[str, Any]:
    return {**TAKEN, "ok": False, "words": words, "exchanges": exchanges}


def exchange(status: int | None = None, **more: Any) -> dict[str, Any]:
    return {"method": "POST", "host": "example.org", "status": status, **more}


async def sending(apprise: Apprise, url: str = URL) -> Undelivered | None:
    try:
        await apprise.send({"url": url}, MESSAGE)
    except Undelivered as error:
        return error
    return None


async def test_the_address_is_told_by_standard_input_alone(tmp_path: Path) -> None:
    """Arguments and environment can be listed by others; nothing of the server's own environment goes along."""
    program = stand_in(tmp_path, says=TAKEN)
    os.environ["TAILRACE_SECRET_KEY"] = "the-key"
    try:
        await sending(Apprise(OPEN, str(program)))
    finally:
        del os.environ["TAILRACE_SECRET_KEY"]
    asked = json.loads((tmp_path / "asked").read_text())
    assert asked["url"] == URL
    assert (tmp_path / "arguments").read_text().split()[1:] == []
    said = (tmp_path / "environment").read_text()
    assert "hush" not in said
    assert "TAILRACE" not in said
    assert f"https_proxy=http://{asked['proxy']}\n" in said
    assert "no_proxy=\n" in said


async def test_a_message_has_a_title_and_calls_nobody(tmp_path: Path) -> None:
    """Its subject stands once; a commit's title is no command to a chat; a mail address stays as it is."""
    await sending(Apprise(OPEN, str(stand_in(tmp_path, says=TAKEN))))
    asked = json.loads((tmp_path / "asked").read_text())
    assert (asked["title"], asked["type"], asked["lines"]) == (
        "shop #4 failed",
        "failure",
        "one\n\u200b@here",
    )
    assert asked["text"] == (
        "\u200b@everyone <\u200b!channel> [x]\u200b(http://evil) ada@example.org\nhttps://ci.example.org/runs/4"
    )


async def test_what_it_says_was_taken_is_sent(tmp_path: Path) -> None:
    with FakeService() as fake_receiver:
        host = fake_receiver.url.removeprefix("http://")
        assert await sending(Apprise(OPEN, str(stand_in(tmp_path, ASK.format(host), TAKEN)))) is None
    assert fake_receiver.asked[0].body == b"hello"


async def test_a_success_that_went_nowhere_is_none(tmp_path: Path) -> None:
    """The proxy is the witness: no server was reached."""
    error = await sending(Apprise(OPEN, str(stand_in(tmp_path, says=TAKEN))))
    assert error is not None
    assert (error.final, "reached no server" in str(error)) == (True, True)


@pytest.mark.parametrize(
    ("exchanges", "final", "unsure", "after_s", "words"),
    [
        ([exchange(404, words="no such topic")], True, False, None, "HTTP 404: no such topic"),
        ([exchange(503, retry_after="7")], False, False, 7.0, "HTTP 503"),
        ([exchange(302)], True, False, None, "points elsewhere"),
        ([exchange(fault="unsafe", words="CERTIFICATE_VERIFY_FAILED")], True, False, None, "CERTIFICATE"),
        ([exchange(fault="unreached", words="refused")], False, False, None, "cannot be reached: refused"),
        ([exchange(fault="broken", words="reset")], False, True, None, "it failed"),
        ([exchange(200), exchange(500)], False, True, None, "it failed"),
        ([exchange(200)], False, True, None, "it failed"),
        ([exchange(fault="broken"), exchange(404)], False, True, None, "it failed"),
        ([], True, False, None, "it failed"),
    ],
)
async def test_a_failure_is_final_or_for_now_or_in_doubt(
    tmp_path: Path,
    exchanges: list[dict[str, Any]],
    final: bool,
    unsure: bool,
    after_s: float | None,
    words: str,
) -> None:
    """What a server may have taken of a message, in any of its requests, is in doubt."""
    with FakeService() as fake_receiver:
        script = ASK.format(fake_receiver.url.removeprefix("http://"))
        error = await sending(Apprise(OPEN, str(stand_in(tmp_path, script, failed(*exchanges)))))
    assert error is not None
    assert (error.final, error.unsure, error.after_s) == (final, unsure, after_s)
    assert words in str(error)


async def test_what_reached_nobody_is_in_no_doubt(tmp_path: Path) -> None:
    """Whatever Apprise makes of it: the proxy connected to no machine, and says why."""
    script = ASK.format("127.0.0.1:1")
    says = failed(exchange(fault="broken", words="x"))
    error = await sending(Apprise(OPEN, str(stand_in(tmp_path, script, says))))
    assert error is not None
    assert (error.final, error.unsure) == (False, False)
    assert "127.0.0.1" in str(error)


async def test_a_private_address_is_refused_unless_it_is_allowed(tmp_path: Path) -> None:
    """The request is not made, and the guard's own words are told."""
    with FakeService() as fake_receiver:
        script = ASK.format(fake_receiver.url.removeprefix("http://"))
        says = failed(exchange(403, words="Forbidden"))
        error = await sending(Apprise(CLOSED, str(stand_in(tmp_path, script, says))))
    assert error is not None
    assert (error.final, "allow_private_targets" in str(error), fake_receiver.asked) == (True, True, [])


async def test_no_word_of_the_address_is_in_an_error(tmp_path: Path) -> None:
    """Whatever Apprise and the server repeat of it, also decoded."""
    words = f"{URL} hush-hush s3cret-topic even/more even%2Fmore"
    for number, says in enumerate(
        (failed(words=words), failed(exchange(404, words=words)), {**TAKEN, "refused": words})
    ):
        with FakeService() as fake_receiver:
            script = ASK.format(fake_receiver.url.removeprefix("http://"))
            error = await sending(Apprise(OPEN, str(stand_in(tmp_path / str(number), script, says))))
        assert "***" in str(error)
        for secret in ("hush", "s3cret", "even/more", "even%2F"):
            assert secret not in str(error)


async def test_a_program_that_hangs_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    """It had reached a server: the message may have arrived."""
    with FakeService() as fake_receiver:
        script = ASK.format(fake_receiver.url.removeprefix("http://"))
        script += f'\nsh -c "trap : TERM; echo \\$\\$ > {tmp_path}/pid; while :; do sleep 1; done" &\nwait'
        program = stand_in(tmp_path, script)
        error = await sending(Apprise(OPEN, str(program), whole_s=2))
    assert error is not None
    assert (error.unsure, "was not done after 2 s" in str(error)) == (True, True)
    wait_for(lambda: ended(int((tmp_path / "pid").read_text())), "the program to be gone")


async def test_a_program_that_hung_before_it_asked_anybody_is_tried_again(tmp_path: Path) -> None:
    error = await sending(Apprise(OPEN, str(stand_in(tmp_path, "sleep 60")), whole_s=0.5))
    assert error is not None
    assert (error.final, error.unsure) == (False, False)


async def test_whoever_stops_sending_ends_the_program(tmp_path: Path) -> None:
    """A server that is stopped leaves none behind."""
    program = stand_in(tmp_path, f'echo $$ > "{tmp_path}/pid"; sleep 600')
    task = asyncio.create_task(sending(Apprise(OPEN, str(program))))
    pid = await asyncio.to_thread(wait_for, lambda: _pid_in(tmp_path / "pid"), "the program to run")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    wait_for(lambda: ended(pid), "the program to be gone")


async def test_endless_output_is_not_kept(tmp_path: Path) -> None:
    """It is killed at the bound."""
    program = stand_in(tmp_path, f'echo $$ > "{tmp_path}/pid"; yes')
    error = await sending(Apprise(OPEN, str(program)))
    assert "wrote more than" in str(error)
    wait_for(lambda: ended(int((tmp_path / "pid").read_text())), "the program to be gone")


async def test_a_program_that_breaks_says_how(tmp_path: Path) -> None:
    """Nothing was reached: it is tried again."""
    program = stand_in(tmp_path, 'echo "ImportError: no yaml" >&2; exit 1')
    error = await sending(Apprise(OPEN, str(program)))
    assert error is not None
    assert "status 1 and told nothing: ImportError: no yaml" in str(error)
    assert (error.final, error.unsure) == (False, False)


async def test_where_apprise_is_missing_saving_and_sending_say_what_to_install(tmp_path: Path) -> None:
    """No such Python; one without Apprise, whose import fails."""
    without = stand_in(tmp_path, "echo \"No module named 'apprise'\" >&2; exit 3")
    for python in (str(tmp_path / "nowhere" / "python"), str(without)):
        error = await sending(Apprise(OPEN, python))
        assert error is not None
        assert (error.final, "pip install apprise" in str(error)) == (False, True)
        with pytest.raises(Invalid, match=r"pip install apprise.*apprise_python"):
            await Apprise(OPEN, python).check(URL)


async def test_an_address_that_is_not_used_is_refused_when_it_is_saved(tmp_path: Path) -> None:
    """With the reason; nothing is sent to find out."""
    says: dict[str, Any] = {
        "service": "Syslog",
        "refused": "it is not spoken to by http or https",
        "words": "",
        "exchanges": [],
    }
    program = stand_in(tmp_path, says=says)
    with pytest.raises(Invalid, match=r"secrets: url: Apprise \(Syslog\): it is not spoken to by http"):
        await Apprise(OPEN, str(program)).check("syslog://")
    assert json.loads((tmp_path / "asked").read_text()) == {"url": "syslog://"}
    assert "proxy=http" not in (tmp_path / "environment").read_text()
    error = await sending(Apprise(OPEN, str(program)))
    assert error is not None
    assert error.final


def test_the_python_of_the_program_apprise_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its first line; or its second, as pip writes it where the path is long; a wrapper of another kind is none."""
    program = tmp_path / "apprise"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for text, found in {
        f"#!{sys.executable}\n": Path(sys.executable),
        f"#!/bin/sh\n'''exec' \"{tmp_path}/a b/python3\" \"$0\" \"$@\"\n' '''\n": tmp_path
        / "a b"
        / "python3",
        '#!/bin/sh\nexec docker run apprise "$@"\n': None,
        "#!/opt/apprise/bin/python3 -E\n": Path("/opt/apprise/bin/python3"),
        "\x7fELF": None,
        "#!/usr/bin/env bash\n": None,
    }.items():
        program.write_text(text)
        program.chmod(0o700)
        assert interpreter_of(program) == found
    program.write_text("#!/opt/apprise/bin/python3\n")
    assert find_python() in (Path("/opt/apprise/bin/python3"), Path(sys.executable))


def test_one_address_is_a_channel() -> None:
    """What Apprise would read as several is refused, and so is what names no service."""
    check_secrets(AppriseSettings(), {"url": URL})
    for url in ("ntfy.sh/topic", "ntfy://a/b json://c", "://x"):
        with pytest.raises(Invalid, match="secrets: url: expected one address as Apprise writes it"):
            check_secrets(AppriseSettings(), {"url": url})


async def test_a_message_in_doubt_is_not_sent_twice(world: World, tmp_path: Path) -> None:
    """As of other chats: one program was started."""
    with FakeService(Says(hang_up=True)) as fake_receiver:
        script = ASK.format(fake_receiver.url.removeprefix("http://"))
        world.apprise_python = str(stand_in(tmp_path, script, failed(exchange(fault="broken"))))
        world.sender = world.make_sender()
        await world.channel(AppriseSettings(), {"url": URL}, When.EVERY)
        await world.run()
        shown = await world.send()
        await world.send()
    assert (shown.state, shown.attempts, len(fake_receiver.asked)) == ("unsure", 1, 1)
    assert "hush" not in (shown.last_error or "")


def _pid_in(path: Path) -> int | None:
    text = path.read_text() if path.exists() else ""
    return int(text) if text.endswith("\n") else None
