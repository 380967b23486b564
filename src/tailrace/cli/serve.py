"""`tailrace server`: a server alone; agents connect from elsewhere."""

from __future__ import annotations

import asyncio

from tailrace.cli.flags import NO_SERVER_FLAGS, ServerFlags, given
from tailrace.cli.importing import for_good


def server(*, flags: ServerFlags = NO_SERVER_FLAGS) -> int:
    """Run a server until SIGINT or SIGTERM."""
    with for_good():
        import uvloop

        from tailrace.cli.messages import configure_messages
        from tailrace.prctl import hide_memory
        from tailrace.server import RunningServer, serve
        from tailrace.settings import load_server

    hide_memory()
    settings = load_server(**given(flags))
    configure_messages(settings.log_level)

    def ready(running: RunningServer) -> None:
        print(f"Tailrace serves at {running.url} (sign in with `tailrace login-link`)", flush=True)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings, ready))
    return 0
