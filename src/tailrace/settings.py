"""Settings: by flag, by environment (`TAILRACE_…`) and by file (`tailrace.toml`), in this order of strength.

`docs/settings.md` is the reference; a test holds it against these classes.
"""

from __future__ import annotations

import os
import socket
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from tailrace.domain.artifacts import MAX_BYTES
from tailrace.domain.errors import Invalid
from tailrace.domain.plan.durations import DURATION_FORMS, parse_duration
from tailrace.domain.plan.model import (
    LEAST_CPU,
    LEAST_MEMORY_BYTES,
    LEAST_PROCESSES,
    MAX_CPU,
    MAX_LOG_BYTES,
    MAX_MEMORY_BYTES,
    MAX_PROCESSES,
)
from tailrace.domain.sizes import GIB, SIZE_FORMS, parse_size
from tailrace.guard import Guard

CONFIG_VARIABLE = "TAILRACE_CONFIG"
CONFIG_FILE = "tailrace.toml"
ADMIN_TOKEN_FILE = "admin-token"
"""In the data directory, mode 0600: whoever reads it is the admin."""


def _split(value: Any) -> Any:
    return (
        tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
    )


def _size(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    size = parse_size(value)
    if size is None:
        raise ValueError(f"expected a size: {SIZE_FORMS}")
    return size


def _duration(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    seconds = parse_duration(value)
    if seconds is None:
        raise ValueError(f"expected a duration: {DURATION_FORMS}")
    return seconds


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="TAILRACE_", extra="ignore", frozen=True)

    data_dir: Path = Field(
        Path(".tailrace"), description="The folder for the database, logs, mirrors and keys."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, config_file())

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()


class ServerSettings(_Settings):
    """What a server needs to know."""

    listen: str = Field(
        "127.0.0.1:8000", description="HOST:PORT to listen on. Anything but loopback lets other machines in."
    )
    url: str | None = Field(
        None,
        description="The address under which people and agents reach this server; HOST:PORT of `listen` if not set.",
    )
    admin_token: str | None = Field(
        None,
        min_length=16,
        description="The admin's token (16 characters or more); made at the first start if not set.",
    )
    secret_key: str | None = Field(
        None,
        description="64 hexadecimal digits that encrypt secrets; made at the first start, in a file, if not set.",
    )
    database_url: str | None = Field(
        None, description="`sqlite:///FILE` or `postgresql://…`; SQLite in the data directory if not set."
    )
    bus_url: Literal["memory:"] = Field(
        "memory:", description="How servers wake each other; one server needs `memory:`."
    )
    archive_url: str | None = Field(
        None,
        description="Where sealed logs and artifacts are kept: `file:///FOLDER`; `archive` in the data directory if not set.",
    )
    retention_days: int = Field(
        0,
        ge=0,
        description="Logs are removed so many days after their run has ended; 0 keeps them for ever.",
    )
    retention_runs: int = Field(
        0, ge=0, description="Each plan keeps the logs of so many of its newest ended runs; 0 keeps all."
    )
    retention_bytes: Annotated[int, BeforeValidator(_size)] = Field(
        0,
        ge=0,
        description="The most bytes of the archive (with KiB, MiB or GiB): logs of the oldest runs go first; 0 for no limit.",
    )
    artifact_days: int = Field(
        0,
        ge=0,
        description="Artifacts of which their plan does not say it are removed after so many days; 0 keeps them for ever.",
    )
    artifact_bytes: Annotated[int, BeforeValidator(_size)] = Field(
        0,
        ge=0,
        description="The most bytes of all artifacts (with KiB, MiB or GiB): those of the oldest runs go first; 0 for no limit.",
    )
    artifact_limit: Annotated[int, BeforeValidator(_size)] = Field(
        10 * GIB,
        gt=0,
        le=MAX_BYTES,
        description="The most bytes of artifacts that one attempt may keep (with KiB, MiB or GiB).",
    )
    delivery_days: int = Field(
        0,
        ge=0,
        description="Headers and bodies of webhooks are removed after so many days; 0 keeps them for ever.",
    )
    notification_days: int = Field(
        0,
        ge=0,
        description="Notifications are removed so many days after they were sent, or failed for good; 0 keeps them for ever.",
    )
    repository_allowed: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = Field(
        (),
        description="Machines on loopback or link-local networks whose repositories may be asked: names, addresses, networks.",
    )
    poll_allowed: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = Field(
        (),
        description="Machines on loopback, link-local or private networks that polls of URLs may ask: names, addresses, networks.",
    )
    lease_s: float = Field(
        30.0,
        ge=2,
        le=3600,
        description="Seconds for which an agent may be silent before it loses its attempts.",
    )
    abort_grace_s: float = Field(
        10.0,
        ge=0,
        le=3600,
        description="Seconds that a job's processes have between SIGTERM and SIGKILL when it is aborted or has timed out.",
    )
    log_grace_s: float = Field(
        300.0,
        ge=1,
        le=30 * 24 * 3600,
        description="Seconds for which the rest of an ended attempt's log is waited for while its agent is away.",
    )
    max_watchers: int = Field(
        20_000,
        ge=1,
        description="How many connections may watch at once; a limit of open files can make it fewer.",
    )
    max_watchers_per_client: int = Field(
        10_000,
        ge=1,
        description="How many of them one client may have: one token or session, from one address.",
    )
    log_limit: Annotated[int, BeforeValidator(_size)] = Field(
        64 * GIB,
        gt=0,
        le=MAX_LOG_BYTES,
        description="The most bytes of any job's log (with KiB, MiB or GiB): no plan's `limit` is higher.",
    )
    allow_private_targets: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = Field(
        (),
        description="Private hosts to which messages and commit statuses may go: names, addresses, networks, separated by commas.",
    )
    apprise_python: str | None = Field(
        None,
        description="The Python that has Apprise; the server's own, or that of the program `apprise`, if not set.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least level of the server's own messages."
    )

    @field_validator("listen")
    @classmethod
    def _host_and_port(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if not host or not port.isdecimal() or int(port) > 65535:
            raise ValueError(
                "expected HOST:PORT such as 127.0.0.1:8000 or [::1]:8000, with a port from 0 to 65535"
            )
        return value

    @field_validator("poll_allowed", "repository_allowed")
    @classmethod
    def _targets(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        Guard.allowing("", value)
        return value

    @field_validator("url")
    @classmethod
    def _http(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("expected an address such as https://ci.example.org")
        return value.rstrip("/") if value else None

    @field_validator("apprise_python")
    @classmethod
    def _program(cls, value: str | None) -> str | None:
        return str(Path(value).expanduser().absolute()) if value and "/" in value else value or None

    @field_validator("allow_private_targets")
    @classmethod
    def _hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        Guard.allowing("", value)
        return value

    @field_validator("secret_key")
    @classmethod
    def _hexadecimal(cls, value: str | None) -> str | None:
        if value is not None and (len(value) != 64 or not set(value.lower()) <= set("0123456789abcdef")):
            raise ValueError("expected 64 hexadecimal digits, such as `openssl rand -hex 32` prints")
        return value

    @property
    def host(self) -> str:
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.listen.rpartition(":")[2])


class AgentSettings(_Settings):
    """What an agent needs to know."""

    server: str = Field("http://127.0.0.1:8000", description="The server's address.")
    agent_token: str | None = Field(
        None, description="A registration token, needed once; `-` reads it from standard input."
    )
    agent_name: str = Field(
        default_factory=socket.gethostname, description="The agent's name; the machine's name if not set."
    )
    labels: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = Field(
        (), description="More labels, separated by commas, beside those that the machine gives."
    )
    capacity: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=1,
        le=1000,
        description="How many attempts it carries at once; the number of processors if not set.",
    )
    projects: Annotated[tuple[str, ...] | None, NoDecode, BeforeValidator(_split)] = Field(
        None,
        min_length=1,
        description="Names of the projects whose work it takes, separated by commas; of all if not set.",
    )
    mirror_days: float = Field(
        14, gt=0, description="Days after which a mirror that no job used is removed from the agent."
    )
    mirror_gib: float = Field(
        20, gt=0, description="GiB that the agent's mirrors may take; the longest unused are removed first."
    )
    workspace_days: float = Field(
        14, gt=0, description="Days after which a kept workspace that no job used is removed from the agent."
    )
    workspace_gib: float = Field(
        20, gt=0, description="GiB that kept workspaces may take; the longest unused are removed first."
    )
    once: bool = Field(
        False, description="Take one job, and end when the server has all of its log and its outcome."
    )
    idle_timeout: Annotated[int | None, BeforeValidator(_duration)] = Field(
        None, gt=0, description="End after so long without a job (`90s`, `20m`, `2h`); never if not set."
    )
    warm_service: bool = Field(
        False,
        description="Whether the warm parent is a service of its own, which the agent finds, and never starts itself.",
    )
    max_memory: Annotated[int, BeforeValidator(_size)] = Field(
        0,
        ge=0,
        le=MAX_MEMORY_BYTES,
        description="The most bytes of memory that a job may take (with KiB, MiB or GiB; 4MiB or more); 0 for no limit.",
    )
    max_processes: int = Field(
        0,
        ge=0,
        le=MAX_PROCESSES,
        description="The most processes and threads that a job may have at a time (4 or more); 0 for no limit.",
    )
    max_cpu: float = Field(
        0,
        ge=0,
        le=MAX_CPU,
        description="The most processors that a job may use, such as 1.5; 0 for no limit.",
    )
    job_users: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = Field(
        (),
        description="Users, separated by commas, as whom jobs run, each job as another: only where the agent runs as root.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least level of the agent's own messages."
    )

    @field_validator("max_memory", "max_processes", "max_cpu")
    @classmethod
    def _enough(cls, value: float, field: ValidationInfo) -> float:
        least = {"max_memory": LEAST_MEMORY_BYTES, "max_processes": LEAST_PROCESSES, "max_cpu": LEAST_CPU}
        if 0 < value < least[field.field_name or ""]:
            raise ValueError(f"expected at least {least[field.field_name or '']}, or 0 for no limit")
        return value

    @property
    def places(self) -> int:
        """How many attempts at once: where only users are named, as many as those."""
        named = bool(self.job_users) and "capacity" not in self.model_fields_set
        return len(self.job_users) if named else self.capacity


class ClientSettings(_Settings):
    """What a command that calls a server needs to know."""

    server: str = Field("http://127.0.0.1:8000", description="The server's address.")
    token: str | None = Field(
        None, description="The token to call with; the admin's, from the data directory, if not set."
    )


def config_file() -> Path:
    """The settings file: what `TAILRACE_CONFIG` names, or `tailrace.toml` in the current folder."""
    return Path(os.environ.get(CONFIG_VARIABLE, CONFIG_FILE))


def load_server(**flags: object) -> ServerSettings:
    """Server settings; flags that are None were not given. Raises Invalid with every fault at once."""
    return _load(ServerSettings, flags)


def load_agent(**flags: object) -> AgentSettings:
    """Agent settings, likewise."""
    return _load(AgentSettings, flags)


def load_client(**flags: object) -> ClientSettings:
    """Client settings, likewise."""
    return _load(ClientSettings, flags)


def _load(kind: type[Any], flags: dict[str, object]) -> Any:
    _check_file()
    try:
        return kind(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        faults = [_fault(kind, fault["loc"], fault["msg"], fault["input"]) for fault in error.errors()]
        raise Invalid("\n".join(faults)) from None


def _fault(kind: type[Any], place: tuple[int | str, ...], message: str, found: object) -> str:
    name = str(place[0])
    words = message.removeprefix("Value error, ")
    secret = name in {"admin_token", "secret_key", "token", "agent_token"}
    shown = "" if secret else f", found {found!r}"
    return f"{name} (TAILRACE_{name.upper()}): {words}{shown}"


def _check_file() -> None:
    path = config_file()
    if not path.exists():
        if CONFIG_VARIABLE in os.environ:
            raise Invalid(f"{CONFIG_VARIABLE}: there is no file {path}")
        return
    try:
        found = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"{path}: {error}") from None
    kinds: tuple[type[BaseSettings], ...] = (ServerSettings, AgentSettings, ClientSettings)
    known = sorted({name for kind in kinds for name in kind.model_fields})
    unknown = sorted(set(found) - set(known))
    if unknown:
        raise Invalid(f"{path}: unknown setting {', '.join(unknown)}; allowed are {', '.join(known)}")
