"""`tailrace server`: a server alone; agents connect from elsewhere."""

from __future__ import annotations

import asyncio
from pathlib import Path


def server(
    *,
    listen: str | None = None,
    data_dir: Path | None = None,
    url: str | None = None,
    database_url: str | None = None,
    lease_s: float | None = None,
    log_level: str | None = None,
) -> int:
    """Run a server until SIGINT or SIGTERM.

    Parameters
    ----------
    listen:
        HOST:PORT to listen on (TAILRACE_LISTEN; 127.0.0.1:8000).
    data_dir:
        Folder for database, logs, mirrors and keys (TAILRACE_DATA_DIR; .tailrace).
    url:
        The address under which people and agents reach this server (TAILRACE_URL).
    database_url:
        sqlite:///FILE or postgresql://… (TAILRACE_DATABASE_URL; SQLite in the data directory).
    lease_s:
        Seconds for which an agent may be silent before it loses its attempts (TAILRACE_LEASE_S; 30).
    log_level:
        debug, info, warning or error (TAILRACE_LOG_LEVEL; info).
    """
    import uvloop

    from tailrace.cli.messages import configure_messages
    from tailrace.server import RunningServer, serve
    from tailrace.settings import load_server

    settings = load_server(
        listen=listen,
        data_dir=data_dir,
        url=url,
        database_url=database_url,
        lease_s=lease_s,
        log_level=log_level,
    )
    configure_messages(settings.log_level)

    def ready(running: RunningServer) -> None:
        print(f"Tailrace serves at {running.url} (sign in with `tailrace login-link`)", flush=True)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings, ready))
    return 0
