"""Services that Apprise knows: it is a program of its own, beside Tailrace, and its requests pass the guard.

`notify/apprise_program.py` is what its Python executes.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import site
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from pydantic import BaseModel, ConfigDict, ValidationError

from tailrace.domain.errors import Invalid
from tailrace.domain.notifications import What
from tailrace.guard import Guard
from tailrace.notify import apprise_program
from tailrace.notify.base import Answer, Message, Undelivered, check_status
from tailrace.process import Answer as ProgramAnswer
from tailrace.process import OutputTooLong, ProgramMissing, run_program
from tailrace.proxy import GuardedProxy, guarded_proxy

WHOLE_S = 75.0
"""Of one message: less than a claim holds, and than the program gives itself."""
LOOK_S = 30.0
AT_ONCE = 3
"""Each is a process of 60 MB. Those that wait for their turn still have their claim."""
MOST_BYTES = 256 * 1024
"""Of what the program writes."""
HOW_TO_INSTALL = (
    "install it beside Tailrace (`pip install apprise`), or name the Python that has it"
    " (apprise_python, TAILRACE_APPRISE_PYTHON)"
)
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
_TYPES = {
    What.FAILED: "failure",
    What.PASSED: "success",
    What.RECOVERED: "success",
    What.ABORTED: "warning",
    What.WAITING: "warning",
}
# What chats take for a call to people, or for a link with other words; not the @ of a mail address.
_CALLS = re.compile(r"(?<!\w)(?=@\w)|(?<=<)(?=[!@#&]|https?:)|(?<=\])(?=\()")
_SEPARATORS = re.compile(r"[/:@?&=#,+\s]+")
_LEAST_SECRET = 5  # characters


class _Exchange(BaseModel):
    """One request: what came back, or what went wrong before anything did."""

    model_config = ConfigDict(frozen=True)
    method: str
    host: str
    status: int | None = None
    fault: Literal["unreached", "unsafe", "broken"] | None = None
    words: str = ""
    retry_after: str | None = None

    @property
    def taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class _Told(BaseModel):
    """What the program answers."""

    model_config = ConfigDict(frozen=True)
    service: str
    refused: str | None
    ok: bool = False
    words: str
    exchanges: tuple[_Exchange, ...]


class Apprise:
    """Has Apprise send messages; `python` is the interpreter that has it, None for whichever there is."""

    def __init__(self, guard: Guard, python: str | None = None, *, whole_s: float = WHOLE_S) -> None:
        self._guard = guard
        self._python = python
        self._whole_s = whole_s
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def check(self, url: str) -> None:
        """Whether Apprise can send to this address, without asking anybody; raises Invalid."""
        try:
            told = _read(await self._run({"url": url}, {}, min(LOOK_S, self._whole_s)))
        except (_Failed, TimeoutError, OutputTooLong) as error:
            why = _without(url, str(error)) or "Apprise has not looked at it in time"
            raise Invalid(f"secrets: url: cannot be checked: {why}") from None
        if told.refused is not None:
            raise Invalid(f"secrets: url: {_named(told)}: {_without(url, told.refused)}")

    async def send(self, secrets: Mapping[str, str], message: Message) -> None:
        """Raises Undelivered."""
        url = secrets["url"]
        async with self._turns, guarded_proxy(self._guard) as proxy:
            asked = {"url": url, "proxy": proxy.address, **_words(message)}
            address = f"http://{proxy.address}"
            try:
                told = _read(await self._run(asked, dict.fromkeys(_PROXIES, address), self._whole_s))
            except (_Failed, TimeoutError, OutputTooLong) as error:
                why = _without(url, str(error)) or f"Apprise was not done after {self._whole_s:g} s"
                raise Undelivered(why, unsure=bool(proxy.reached)) from None
            _judge(url, told, proxy)

    async def _run(
        self, asked: Mapping[str, str], proxies: Mapping[str, str], seconds: float
    ) -> ProgramAnswer:
        """Raises _Failed, TimeoutError, OutputTooLong."""
        python = self._python or str(find_python())
        try:
            return await run_program(
                python,
                apprise_program.__file__,
                folder=Path("/"),
                env={**_environment(python), **proxies},
                seconds=seconds,
                told=json.dumps(dict(asked)).encode(),
                most_bytes=MOST_BYTES,
            )
        except ProgramMissing:
            raise _Failed(f"there is no Python {python}: {HOW_TO_INSTALL}") from None
        except TimeoutError:
            raise
        except OSError as error:
            raise _Failed(f"{python} cannot be started: {error.strerror or error}") from None


class _Failed(Exception):
    """The program gave no answer; says why."""


def find_python() -> Path:
    """The interpreter that has Apprise: this one, or that of the program `apprise`. Raises _Failed when there is none."""
    importlib.invalidate_caches()  # it may have been installed since
    if importlib.util.find_spec("apprise") is not None:
        return Path(sys.executable)
    program = shutil.which("apprise")
    found = None if program is None else interpreter_of(Path(program))
    if found is None:
        raise _Failed(f"Apprise is not installed: {HOW_TO_INSTALL}")
    return found


def interpreter_of(program: Path) -> Path | None:
    """The Python that a script's first line names, or its second where the first is sh's, as pip writes it for long paths."""
    try:
        with program.open("rb") as file:
            first, second = (file.readline(4096).decode(errors="replace") for _ in range(2))
        words = shlex.split(first.removeprefix("#!")) if first.startswith("#!") else []
        if words[:1] == ["/bin/sh"]:
            words = shlex.split(second)[1:]
    except (OSError, ValueError):
        return None
    if words and Path(words[0]).name == "env":
        words = [shutil.which(words[-1]) or ""]
    if not words or not Path(words[0]).name.startswith(("python", "pypy")):
        return None
    return Path(words[0])


def _environment(python: str) -> dict[str, str]:
    """What the program's environment says: nothing of the server's that it need not know."""
    kept = {name: os.environ[name] for name in _CERTIFICATES if name in os.environ}
    if python == sys.executable:
        kept |= {name: value for name, value in os.environ.items() if name in ("PYTHONPATH", "PYTHONHOME")}
    return {
        **kept,
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C.UTF-8",
        "HOME": "/nonexistent",  # no .netrc, no configuration of Apprise's
        "PYTHONUSERBASE": site.getuserbase(),
        "NO_PROXY": "",
        "no_proxy": "",
    }


def _words(message: Message) -> dict[str, str]:
    title = " ".join(message.subject.split())
    first, _, rest = message.text.partition("\n")
    text = rest if first == message.subject and rest else message.text
    said = {"title": title, "text": text, "lines": message.lines}
    kind = "info" if message.what is None else _TYPES.get(message.what, "info")
    return {name: _CALLS.sub("\u200b", words) for name, words in said.items()} | {"type": kind}


def _read(answer: ProgramAnswer) -> _Told:
    """Raises _Failed when it is none."""
    if answer.status == apprise_program.NOT_INSTALLED:
        raise _Failed(f"Apprise is not installed: {_last(answer.complaint)}: {HOW_TO_INSTALL}")
    try:
        return _Told.model_validate_json(answer.output)
    except ValidationError:
        raise _Failed(
            f"Apprise ended with status {answer.status} and told nothing: {_last(answer.complaint)}".rstrip(
                ": "
            )
        ) from None


def _judge(url: str, told: _Told, proxy: GuardedProxy) -> None:
    """Raises Undelivered unless it was sent."""
    name = _named(told)
    if told.refused is not None:
        raise Undelivered(f"{name}: {_without(url, told.refused)}", final=True)
    if told.ok and proxy.reached:
        return
    if told.ok:
        raise Undelivered(f"{name} says that it was sent, and reached no server", final=True)
    words = f"{name}: {_without(url, told.words, told.exchanges) or 'it failed, and nothing says why'}"
    if proxy.reached and any(one.fault == "broken" or one.taken for one in told.exchanges):
        # One message can be several requests: of which one was taken, people may have got it.
        raise Undelivered(words, unsure=True)
    forbidden = [why for why in proxy.refused if why not in proxy.failed]
    if forbidden:
        raise Undelivered(forbidden[-1], final=True)
    if not told.exchanges:
        raise Undelivered(words, final=True)
    last = told.exchanges[-1]
    said = _without(url, last.words, told.exchanges).strip()
    if not proxy.reached and proxy.failed:
        raise Undelivered(f"{name}: {proxy.failed[-1]}")
    if last.status is None or not proxy.reached:
        raise Undelivered(f"{name} cannot be reached: {said}", final=last.fault == "unsafe")
    try:
        check_status(Answer(last.status, said.encode(), {"retry-after": last.retry_after or ""}))
    except Undelivered as error:
        raise Undelivered(
            f"{name} at {last.host}: {error}", final=error.final, after_s=error.after_s
        ) from None


def _named(told: _Told) -> str:
    return f"Apprise ({told.service})" if told.service else "Apprise"


def _without(url: str, words: str, exchanges: tuple[_Exchange, ...] = ()) -> str:
    """The words, with every part of the address blotted out that may be secret: all but its scheme and who was asked."""
    hosts = {one.host.partition(":")[0] for one in exchanges}
    rest = url.partition("://")[2]
    found = {part for text in (rest, unquote(rest)) for part in _SEPARATORS.split(text)}
    parts = found | {unquote(part) for part in found}
    for part in sorted(parts - hosts, key=len, reverse=True):
        if len(part) >= _LEAST_SECRET:
            words = words.replace(part, "***")
    return words.replace(url, "***")


def _last(complaint: str) -> str:
    lines = [line.strip() for line in complaint.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
