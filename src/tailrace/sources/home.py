"""Whose webhook it is: webhooks of organisations, groups and whole servers tell of every repository that these have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field

from tailrace.domain.address import same_repository
from tailrace.domain.events import Event
from tailrace.sources.base import Ignored, Source, header
from tailrace.sources.payload import Payload


def _address(value: object) -> str | None:
    """An address only says whose webhook it is: what is none refuses no delivery."""
    return value if isinstance(value, str) and value else None


_Address = Annotated[str | None, BeforeValidator(_address)]


class Home(Payload):
    """The repository whose webhook it is, with its addresses as GitHub and Gitea call them, or GitLab does."""

    default_branch: str | None = Field(default=None, description="a branch's name, or null")
    html_url: _Address = None
    clone_url: _Address = None
    ssh_url: _Address = None
    web_url: _Address = None
    git_http_url: _Address = None
    git_ssh_url: _Address = None

    @property
    def addresses(self) -> tuple[str, ...]:
        """All of them that are said."""
        said = (
            *(self.html_url, self.clone_url, self.ssh_url),
            *(self.web_url, self.git_http_url, self.git_ssh_url),
        )
        return tuple(address for address in said if address is not None)


class OfProject:
    """A source as one project wants it: what is told of another repository than its own starts nothing."""

    def __init__(self, source: Source, repository: str) -> None:
        self._source = source
        self._repository = repository

    @property
    def name(self) -> str:
        """The source's."""
        return self._source.name

    @property
    def secret_headers(self) -> frozenset[str]:
        """The source's."""
        return self._source.secret_headers

    def verify(self, secret: bytes, headers: Mapping[str, str], body: bytes) -> None:
        """As the source does."""
        self._source.verify(secret, headers, body)

    def event_name(self, headers: Mapping[str, str]) -> str | None:
        """The source's."""
        return self._source.event_name(headers)

    def delivery_key(self, headers: Mapping[str, str]) -> str | None:
        """The source's."""
        return self._source.delivery_key(headers)

    def read(self, headers: Mapping[str, str], body: bytes) -> Event | Ignored:
        """What happened to the project's repository; what happened to another one is ignored. Raises Invalid."""
        found = self._source.read(headers, body)
        if isinstance(found, Ignored) or _is_its_own(headers):
            return found
        if same_repository(self._repository, found.addresses) is False:
            return Ignored(
                f"it is of {found.addresses[0]}, which is another repository than the project's: a webhook of an"
                " organisation, a group or a server tells of all of theirs. If this one was renamed, give the project its"
                " new address"
            )
        return found


def _is_its_own(headers: Mapping[str, str]) -> bool:
    """Whether somebody made the webhook in one repository, which may have got another name since: GitHub and Gitea say so."""
    names = (f"X-{sender}-Hook-Installation-Target-Type" for sender in ("GitHub", "Gitea", "Forgejo"))
    return any((header(headers, name) or "").lower() == "repository" for name in names)
