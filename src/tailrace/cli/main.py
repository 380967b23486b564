"""`tailrace`: the commands together."""

from __future__ import annotations

import os
import sys
from typing import Literal

from cyclopts import App

from tailrace import __version__
from tailrace.cli.agent import agent, agent_token
from tailrace.cli.cron import cron
from tailrace.cli.exec import exec_plan
from tailrace.cli.groups import GROUPS, check_word
from tailrace.cli.login_link import login_link
from tailrace.cli.logs import logs
from tailrace.cli.out import ReaderGone
from tailrace.cli.retention import retention
from tailrace.cli.run import abort, rerun, retry, run, runs
from tailrace.cli.search import search
from tailrace.cli.serve import server
from tailrace.cli.texts import say
from tailrace.cli.up import up
from tailrace.cli.verify import verify
from tailrace.domain.errors import TailraceError

app = App(
    name="tailrace",
    version=__version__,
    help="A self-hosted CI/CD system in which every log is live.",
)
app.command(up)
app.command(server)
app.command(agent)
app.command(exec_plan, name="exec")
app.command(run)
app.command(runs)
app.command(logs)
app.command(search)
app.command(abort)
app.command(rerun)
app.command(retry)
app.command(verify)
app.command(retention)
app.command(cron)
app.command(login_link, name="login-link")
app.command(agent_token, name="agent-token")
for group in GROUPS:
    app.command(group.app())


@app.command
def completion(shell: Literal["bash", "zsh", "fish"], /) -> None:
    """Print a script that completes this program's commands and flags: bash: source it; zsh, fish: save it where they look.

    Parameters
    ----------
    shell:
        Whose script.
    """
    print(app.generate_completion(prog_name="tailrace", shell=shell))


def main() -> None:
    """Run the command that the arguments name; its exit status: 0 well, 1 failed, 2 wrong usage or settings."""
    try:
        check_word(sys.argv[1:])
        status = app(sys.argv[1:], exit_on_error=True, result_action="return_value")
        sys.stdout.flush()
    except ModuleNotFoundError as error:
        if (error.name or "tailrace").startswith("tailrace"):
            raise
        print(
            f"tailrace: this command needs the server's parts, and {error.name} is not installed:"
            " pip install 'tailrace[server]'",
            file=sys.stderr,
        )
        sys.exit(2)
    except TailraceError as error:
        say(str(error) if error.located else f"tailrace: {error}", to=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except (BrokenPipeError, ReaderGone):
        # Whoever read our output has gone. What is buffered goes nowhere, also when Python flushes it at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    sys.exit(status if isinstance(status, int) else 0)
