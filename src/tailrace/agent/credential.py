"""The agent's credential: got once for a registration token, then kept in a file that only this user may read."""

from __future__ import annotations

import asyncio
import ipaddress
import os
from pathlib import Path
from typing import Any, cast

import httpx2
import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from tailrace import __version__
from tailrace.agent.backoff import Backoff
from tailrace.domain.errors import Invalid, Unauthorised

_log = structlog.get_logger("agent")
_PATIENCE_S = 10.0
FAREWELL_S = 5.0
"""How long an agent that has done all tries to say so: its machine waits to be thrown away."""


class FarewellUnheard(Exception):
    """The server still lists an agent that has gone for good; the message says why it was not told."""


class Credential(BaseModel):
    """Who this agent is to the server at `server`."""

    model_config = ConfigDict(frozen=True)
    server: str
    id: int
    credential: str


class CredentialFile:
    """`credential.json` in the agent's folder, mode 0600."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "credential.json"

    def read(self) -> Credential | None:
        """What was kept; None where nothing was. Raises Invalid for a file that cannot be understood."""
        try:
            return Credential.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            raise Invalid(
                f"{self._path} cannot be read as an agent's credential: {error};"
                " remove it and register again with --token"
            ) from error

    def keep(self, credential: Credential) -> None:
        """Replace what was kept, whole or not at all."""
        new = self._path.with_suffix(".new")
        new.unlink(missing_ok=True)
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w") as file:
            file.write(credential.model_dump_json())
            file.flush()
            os.fsync(file.fileno())
        new.rename(self._path)

    def forget(self) -> None:
        """Remove what was kept: it is good for nothing any more."""
        self._path.unlink(missing_ok=True)


async def register(
    server_url: str, token: str, name: str, labels: tuple[str, ...], capacity: int
) -> Credential:
    """Exchange a one-time token for a credential; waits for ever for a server that cannot be reached.

    Raises Unauthorised when the token is refused, Invalid when the server does not take the name, labels or capacity.
    """
    wish = {
        "token": token,
        "name": name,
        "labels": labels,
        "capacity": capacity,
        "version": __version__,
    }
    backoff = Backoff()
    told = False
    async with httpx2.AsyncClient(timeout=_PATIENCE_S, trust_env=not is_loopback(server_url)) as client:
        while True:
            try:
                answer = await client.post(f"{server_url.rstrip('/')}/api/agents/register", json=wish)
            except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
                raise Invalid(f"{server_url} is not a server's address: {error}") from error
            except httpx2.HTTPError as error:
                trouble = str(error) or type(error).__name__
            else:
                if answer.status_code < 500:
                    return _credential(server_url, answer)
                trouble = f"HTTP {answer.status_code}: {_detail(answer)}"
            if not told:
                _log.warning("cannot register yet; trying again", server=server_url, error=trouble)
                told = True
            await asyncio.sleep(backoff.wait_s())


async def farewell(server_url: str, credential: Credential) -> None:
    """Tell the server that this agent will not come back; it forgets the agent. Raises FarewellUnheard
    when it could not be told within about FAREWELL_S."""
    loop = asyncio.get_running_loop()
    backoff, end = Backoff(), loop.time() + FAREWELL_S
    url = f"{server_url.rstrip('/')}/api/agents/farewell"
    headers = {"Authorization": f"Bearer {credential.credential}"}
    async with httpx2.AsyncClient(timeout=FAREWELL_S, trust_env=not is_loopback(server_url)) as client:
        while True:
            try:
                answer = await client.post(url, headers=headers)
            except httpx2.HTTPError as error:
                trouble = str(error) or type(error).__name__
            else:
                if answer.is_success or answer.status_code == 401:
                    return
                trouble = f"HTTP {answer.status_code}: {_detail(answer)}"
                if answer.status_code < 500:
                    raise FarewellUnheard(trouble)
            if loop.time() >= end:
                raise FarewellUnheard(trouble)
            await asyncio.sleep(backoff.wait_s())


def is_loopback(url: str) -> bool:
    """Whether this address is this machine, which no proxy reaches."""
    try:
        host = httpx2.URL(url).host
    except httpx2.InvalidURL:
        return False
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _credential(server_url: str, answer: httpx2.Response) -> Credential:
    if answer.status_code in (401, 403):
        raise Unauthorised(f"{server_url} refused the registration token: {_detail(answer)}")
    try:
        if answer.is_success:
            given = cast(dict[str, Any], answer.json())
            return Credential(server=server_url, id=given["id"], credential=given["credential"])
    except (ValueError, KeyError, TypeError):
        pass
    raise Invalid(f"{server_url} did not register this agent: HTTP {answer.status_code}: {_detail(answer)}")


def _detail(answer: httpx2.Response) -> str:
    try:
        return str(cast(dict[str, Any], answer.json())["detail"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:200] or answer.reason_phrase
