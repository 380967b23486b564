"""The flags that commands share: each is a setting, under the setting's name and with its words."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter, validators

DATA_DIR = "The folder for the database, logs, mirrors and keys."
LOG_LEVEL = "The least level of the {}'s own messages."
Limit = Annotated[int, Parameter(validator=validators.Number(gte=1))]
"""How many of a list are shown at most."""
IN_PUBLIC = " Who lists processes sees a flag: prefer TAILRACE_{}."


@Parameter(name="*")
@dataclass(frozen=True)
class ServerFlags:
    """Settings of a server; what is None was not given."""

    listen: Annotated[
        str | None,
        Parameter(help="HOST:PORT to listen on. Anything but loopback lets other machines in."),
    ] = None
    data_dir: Annotated[Path | None, Parameter(help=DATA_DIR)] = None
    url: Annotated[
        str | None,
        Parameter(
            help="The address under which people and agents reach this server; HOST:PORT of `listen` if not set."
        ),
    ] = None
    admin_token: Annotated[
        str | None,
        Parameter(
            help="The admin's token (16 characters or more); made at the first start if not set."
            + IN_PUBLIC.format("ADMIN_TOKEN")
        ),
    ] = None
    secret_key: Annotated[
        str | None,
        Parameter(
            help="64 hexadecimal digits that encrypt secrets; made at the first start, in a file, if not set."
            + IN_PUBLIC.format("SECRET_KEY")
        ),
    ] = None
    database_url: Annotated[
        str | None,
        Parameter(help="`sqlite:///FILE` or `postgresql://…`; SQLite in the data directory if not set."),
    ] = None
    bus_url: Annotated[
        str | None, Parameter(help="How servers wake each other; one server needs `memory:`.")
    ] = None
    archive_url: Annotated[
        str | None,
        Parameter(
            help="Where sealed logs and artifacts are kept: `file:///FOLDER`; `archive` in the data directory if not set."
        ),
    ] = None
    retention_days: Annotated[
        int | None,
        Parameter(help="Logs are removed so many days after their run has ended; 0 keeps them for ever."),
    ] = None
    retention_runs: Annotated[
        int | None,
        Parameter(help="Each plan keeps the logs of so many of its newest ended runs; 0 keeps all."),
    ] = None
    retention_bytes: Annotated[
        str | None,
        Parameter(
            help="The most bytes of the archive (with KiB, MiB or GiB): logs of the oldest runs go first; 0 for no limit."
        ),
    ] = None
    artifact_days: Annotated[
        int | None,
        Parameter(
            help="Artifacts of which their plan does not say it are removed after so many days; 0 keeps them for ever."
        ),
    ] = None
    artifact_bytes: Annotated[
        str | None,
        Parameter(
            help="The most bytes of all artifacts (with KiB, MiB or GiB): those of the oldest runs go first; 0 for no limit."
        ),
    ] = None
    artifact_limit: Annotated[
        str | None,
        Parameter(help="The most bytes of artifacts that one attempt may keep (with KiB, MiB or GiB)."),
    ] = None
    delivery_days: Annotated[
        int | None,
        Parameter(
            help="Headers and bodies of webhooks are removed after so many days; 0 keeps them for ever."
        ),
    ] = None
    notification_days: Annotated[
        int | None,
        Parameter(
            help="Notifications are removed so many days after they were sent, or failed for good; 0 keeps them for ever."
        ),
    ] = None
    lease_s: Annotated[
        float | None,
        Parameter(help="Seconds for which an agent may be silent before it loses its attempts."),
    ] = None
    abort_grace_s: Annotated[
        float | None,
        Parameter(
            help="Seconds that a job's processes have between SIGTERM and SIGKILL when it is aborted or has timed out."
        ),
    ] = None
    log_grace_s: Annotated[
        float | None,
        Parameter(
            help="Seconds for which the rest of an ended attempt's log is waited for while its agent is away."
        ),
    ] = None
    max_watchers: Annotated[
        int | None,
        Parameter(help="How many connections may watch at once; a limit of open files can make it fewer."),
    ] = None
    max_watchers_per_client: Annotated[
        int | None,
        Parameter(help="How many of them one client may have: one token or session, from one address."),
    ] = None
    log_limit: Annotated[
        str | None,
        Parameter(
            help="The most bytes of any job's log (with KiB, MiB or GiB): no plan's `limit` is higher."
        ),
    ] = None
    repository_allowed: Annotated[
        str | None,
        Parameter(
            help="Machines on loopback or link-local networks whose repositories may be asked: names, addresses, networks.",
        ),
    ] = None
    poll_allowed: Annotated[
        str | None,
        Parameter(
            help="Machines on loopback, link-local or private networks that polls of URLs may ask: names, addresses, networks.",
        ),
    ] = None
    allow_private_targets: Annotated[
        str | None,
        Parameter(
            help="Private hosts to which messages and commit statuses may go: names, addresses, networks, separated by commas.",
        ),
    ] = None
    apprise_python: Annotated[
        str | None,
        Parameter(
            help="The Python that has Apprise; the server's own, or that of the program `apprise`, if not set."
        ),
    ] = None
    log_level: Annotated[str | None, Parameter(help=LOG_LEVEL.format("server"))] = None


@Parameter(name="*")
@dataclass(frozen=True)
class AgentFlags:
    """Settings of an agent; what is None was not given."""

    server: Annotated[str | None, Parameter(help="The server's address.")] = None
    agent_token: Annotated[
        str | None,
        Parameter(
            name="--token",
            allow_leading_hyphen=True,
            help="A registration token, needed once; `-` reads it from standard input.",
        ),
    ] = None
    agent_name: Annotated[
        str | None, Parameter(name="--name", help="The agent's name; the machine's name if not set.")
    ] = None
    labels: Annotated[
        str | None,
        Parameter(help="More labels, separated by commas, beside those that the machine gives."),
    ] = None
    capacity: Annotated[
        int | None,
        Parameter(help="How many attempts it carries at once; the number of processors if not set."),
    ] = None
    projects: Annotated[
        str | None,
        Parameter(help="Names of the projects whose work it takes, separated by commas; of all if not set."),
    ] = None
    mirror_days: Annotated[
        float | None,
        Parameter(help="Days after which a mirror that no job used is removed from the agent."),
    ] = None
    mirror_gib: Annotated[
        float | None,
        Parameter(help="GiB that the agent's mirrors may take; the longest unused are removed first."),
    ] = None
    workspace_days: Annotated[
        float | None,
        Parameter(help="Days after which a kept workspace that no job used is removed from the agent."),
    ] = None
    workspace_gib: Annotated[
        float | None,
        Parameter(help="GiB that kept workspaces may take; the longest unused are removed first."),
    ] = None
    once: Annotated[
        bool | None,
        Parameter(
            negative="", help="Take one job, and end when the server has all of its log and its outcome."
        ),
    ] = None
    idle_timeout: Annotated[
        str | None,
        Parameter(help="End after so long without a job (`90s`, `20m`, `2h`); never if not set."),
    ] = None
    warm_service: Annotated[
        bool | None,
        Parameter(
            negative="",
            help="Whether the warm parent is a service of its own, which the agent finds, and never starts itself.",
        ),
    ] = None
    max_memory: Annotated[
        str | None,
        Parameter(
            help="The most bytes of memory that a job may take (with KiB, MiB or GiB; 4MiB or more); 0 for no limit."
        ),
    ] = None
    max_processes: Annotated[
        int | None,
        Parameter(
            help="The most processes and threads that a job may have at a time (4 or more); 0 for no limit."
        ),
    ] = None
    max_cpu: Annotated[
        float | None,
        Parameter(help="The most processors that a job may use, such as 1.5; 0 for no limit."),
    ] = None
    job_users: Annotated[
        str | None,
        Parameter(
            help="Users, separated by commas, as whom jobs run, each job as another: only where the agent runs as root."
        ),
    ] = None
    data_dir: Annotated[Path | None, Parameter(help=DATA_DIR)] = None
    log_level: Annotated[str | None, Parameter(help=LOG_LEVEL.format("agent"))] = None


@Parameter(name="*")
@dataclass(frozen=True)
class ClientFlags:
    """Settings of a command that calls a server; what is None was not given."""

    server: Annotated[str | None, Parameter(help="The server's address.")] = None
    token: Annotated[
        str | None,
        Parameter(help="The token to call with; the admin's, from the data directory, if not set."),
    ] = None
    data_dir: Annotated[Path | None, Parameter(help=DATA_DIR)] = None


NO_SERVER_FLAGS = ServerFlags()
NO_AGENT_FLAGS = AgentFlags()
NO_CLIENT_FLAGS = ClientFlags()


def given(flags: ServerFlags | AgentFlags | ClientFlags) -> dict[str, Any]:
    """The flags by the names of their settings."""
    return asdict(flags)
