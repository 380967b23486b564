"""Channels: ways on which messages leave, each kind with settings that people may see and secrets that nobody does."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from enum import StrEnum
from string import Template
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator

from tailrace.domain.errors import Invalid
from tailrace.domain.text import Text

TEMPLATE_NAMES = (
    "subject",
    "what",
    "project",
    "plan",
    "number",
    "state",
    "reason",
    "detail",
    "branch",
    "revision",
    "title",
    "author",
    "job",
    "step",
    "lines",
    "url",
)
"""What a channel's own template may name."""
MAX_SECRET_CHARACTERS = 4000


class ChannelKind(StrEnum):
    EMAIL = "email"
    SLACK = "slack"
    TEAMS = "teams"
    TELEGRAM = "telegram"
    DISCORD = "discord"
    DINGTALK = "dingtalk"
    WECOM = "wecom"
    FEISHU = "feishu"
    WEBHOOK = "webhook"
    APPRISE = "apprise"
    GITHUB = "github"
    GITLAB = "gitlab"
    GITEA = "gitea"


FORGES = (ChannelKind.GITHUB, ChannelKind.GITLAB, ChannelKind.GITEA)
"""Kinds that tell a forge the state of each job of a commit; the others carry messages that rules ask for."""
REPEATABLE = (ChannelKind.WEBHOOK, *FORGES)
"""Kinds whose receiver knows a message again by its id, or of which the same word twice changes nothing."""

_DESTINATION = ("api", "url", "host", "port", "security", "repository", "chat")
_Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9.:_-]{1,253}$")]
_Address = Annotated[str, Field(pattern=r"^[^\s@<>,;\"]{1,64}@[^\s@<>,;\"]{1,253}$")]


def _web_address(address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme not in ("https", "http") or not parts.hostname or any(sign <= " " for sign in address):
        raise ValueError("expected an address such as https://host/path")
    return address


def _service_address(address: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*://\S*", address):
        raise ValueError("expected one address as Apprise writes it, such as ntfys://ntfy.sh/topic")
    return address


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    NEEDED: ClassVar[tuple[str, ...]] = ()
    """Names of the secrets without which it cannot work."""
    OPTIONAL: ClassVar[tuple[str, ...]] = ()

    def destination(self) -> tuple[object, ...]:
        """What decides to whom its secrets are shown, and what is done there in their name."""
        return tuple(getattr(self, name, None) for name in _DESTINATION)


class _Messages(_Settings):
    """`template` is the text of its messages, with `${names}` of TEMPLATE_NAMES; null: Tailrace's own words."""

    template: Annotated[Text, Field(min_length=1, max_length=4000)] | None = None

    @field_validator("template")
    @classmethod
    def _names_what_there_is(cls, template: str | None) -> str | None:
        if template is None:
            return None
        made = Template(template)
        unknown = sorted(set(made.get_identifiers()) - set(TEMPLATE_NAMES))
        if unknown or not made.is_valid():
            found = f"unknown name {', '.join(unknown)}" if unknown else "a $ that begins no name"
            raise ValueError(
                f"{found}; allowed are {', '.join(f'${{{name}}}' for name in TEMPLATE_NAMES)}, $$"
            )
        return template


class EmailSettings(_Messages):
    """`security` is how the connection to `host` is encrypted; with `user` it signs in by the secret `password`."""

    kind: Literal[ChannelKind.EMAIL] = ChannelKind.EMAIL
    OPTIONAL = ("password",)
    host: _Host
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: Annotated[Text, Field(max_length=200)] | None = None
    sender: _Address
    to: Annotated[tuple[_Address, ...], Field(min_length=1, max_length=100)]


class SlackSettings(_Messages):
    """The secret `url` is that of an incoming webhook."""

    kind: Literal[ChannelKind.SLACK] = ChannelKind.SLACK
    NEEDED = ("url",)


class TeamsSettings(_Messages):
    """The secret `url` is that of a workflow which posts what it receives."""

    kind: Literal[ChannelKind.TEAMS] = ChannelKind.TEAMS
    NEEDED = ("url",)


class TelegramSettings(_Messages):
    """`chat` is a chat's id or @name; the secret `token` is the bot's."""

    kind: Literal[ChannelKind.TELEGRAM] = ChannelKind.TELEGRAM
    NEEDED = ("token",)
    chat: Annotated[str, Field(pattern=r"^(-?[0-9]{1,20}|@[A-Za-z0-9_]{1,64})$")]
    api: str = "https://api.telegram.org"

    _api = field_validator("api")(_web_address)


class DiscordSettings(_Messages):
    """The secret `url` is that of a channel's webhook."""

    kind: Literal[ChannelKind.DISCORD] = ChannelKind.DISCORD
    NEEDED = ("url",)


class DingTalkSettings(_Messages):
    """The secret `url` is that of a group's robot, `sign` its signing secret where it has one."""

    kind: Literal[ChannelKind.DINGTALK] = ChannelKind.DINGTALK
    NEEDED = ("url",)
    OPTIONAL = ("sign",)


class WeComSettings(_Messages):
    """The secret `url` is that of a group's robot."""

    kind: Literal[ChannelKind.WECOM] = ChannelKind.WECOM
    NEEDED = ("url",)


class FeishuSettings(_Messages):
    """The secret `url` is that of a group's robot, `sign` its signing secret where it has one."""

    kind: Literal[ChannelKind.FEISHU] = ChannelKind.FEISHU
    NEEDED = ("url",)
    OPTIONAL = ("sign",)


class WebhookSettings(_Messages):
    """Posts JSON to `url`, signed with the secret `key` the Standard Webhooks way (`whsec_` and base64 of 24 to 64 bytes)."""

    kind: Literal[ChannelKind.WEBHOOK] = ChannelKind.WEBHOOK
    NEEDED = ("key",)
    url: Annotated[str, Field(max_length=2000)]

    _url = field_validator("url")(_web_address)


class AppriseSettings(_Messages):
    """The secret `url` is one of Apprise's, such as ntfys://ntfy.sh/topic: it names the service, and holds its token."""

    kind: Literal[ChannelKind.APPRISE] = ChannelKind.APPRISE
    NEEDED = ("url",)


class _Forge(_Settings):
    NEEDED = ("token",)
    repository: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+$", max_length=300)]

    @field_validator("repository")
    @classmethod
    def _below_nothing(cls, repository: str) -> str:
        if {".", ".."} & set(repository.split("/")):
            raise ValueError("expected OWNER/NAME")
        return repository


class GitHubSettings(_Forge):
    """Commit statuses of `repository` (OWNER/NAME); `api` is another than github.com's for an Enterprise Server."""

    kind: Literal[ChannelKind.GITHUB] = ChannelKind.GITHUB
    api: str = "https://api.github.com"

    _api = field_validator("api")(_web_address)


class GitLabSettings(_Forge):
    """Commit statuses of the project at path `repository`; `api` is the server's address."""

    kind: Literal[ChannelKind.GITLAB] = ChannelKind.GITLAB
    api: str = "https://gitlab.com"

    _api = field_validator("api")(_web_address)


class GiteaSettings(_Forge):
    """Commit statuses of `repository` (OWNER/NAME) at Gitea or Forgejo; `api` is the server's address."""

    kind: Literal[ChannelKind.GITEA] = ChannelKind.GITEA
    api: str

    _api = field_validator("api")(_web_address)


MessageSettings = (
    EmailSettings
    | SlackSettings
    | TeamsSettings
    | TelegramSettings
    | DiscordSettings
    | DingTalkSettings
    | WeComSettings
    | FeishuSettings
    | WebhookSettings
    | AppriseSettings
)
ForgeSettings = GitHubSettings | GitLabSettings | GiteaSettings
ChannelSettings = Annotated[MessageSettings | ForgeSettings, Field(discriminator="kind")]
CHANNEL_SETTINGS: TypeAdapter[MessageSettings | ForgeSettings] = TypeAdapter(ChannelSettings)


def check_secrets(settings: MessageSettings | ForgeSettings, secrets: Mapping[str, str]) -> None:
    """Raises Invalid unless these are the secrets that such a channel takes; the message never has a value."""
    allowed = (*settings.NEEDED, *settings.OPTIONAL)
    said = f"secrets of a {settings.kind} channel are {', '.join(allowed)}"
    for name, value in secrets.items():
        if name not in allowed:
            raise Invalid(f"secrets: {name[:40]!r} is unknown; {said}")
        if not 0 < len(value) <= MAX_SECRET_CHARACTERS or any(sign < " " for sign in value):
            raise Invalid(
                f"secrets: {name} has 1 to {MAX_SECRET_CHARACTERS} characters, and no control characters"
            )
    require_secrets(settings, secrets)
    if "url" in secrets:
        try:
            (_service_address if isinstance(settings, AppriseSettings) else _web_address)(secrets["url"])
        except ValueError as error:
            raise Invalid(f"secrets: url: {error}") from None


def require_secrets(settings: MessageSettings | ForgeSettings, names: Collection[str]) -> None:
    """Raises Invalid where these are not all secrets without which such settings send nothing."""
    missing = [name for name in settings.NEEDED if name not in names]
    if missing:
        said = ", ".join((*settings.NEEDED, *settings.OPTIONAL))
        raise Invalid(
            f"secrets: {', '.join(missing)} is missing; secrets of a {settings.kind} channel are {said}"
        )
    if isinstance(settings, EmailSettings) and settings.user is not None and "password" not in names:
        raise Invalid("secrets: password is missing: with a user the channel signs in")
