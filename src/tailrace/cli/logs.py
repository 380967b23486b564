"""`tailrace logs`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from tailrace.cli import interrupt
from tailrace.cli.client import CallFailed, connect
from tailrace.cli.flags import NO_CLIENT_FLAGS, ClientFlags


@Parameter(name="*")
@dataclass(frozen=True)
class LogFlags:
    """What of the logs to show, and how."""

    start: Annotated[int | None, Parameter(name="--from", help="The byte of the log to begin at.")] = None
    tail: Annotated[
        int | None, Parameter(name=["--tail", "-n"], help="Begin with the last so many lines.")
    ] = None
    since: Annotated[
        str | None,
        Parameter(
            help="Begin at a time (2026-11-21T10:00, local unless it says its zone) or so long ago (90s, 10m, 2h)."
        ),
    ] = None
    until: Annotated[str | None, Parameter(help="End before a time, likewise.")] = None
    grep: Annotated[
        str | None,
        Parameter(
            allow_leading_hyphen=True, help="Only lines in which this regular expression (RE2) has a match."
        ),
    ] = None
    ignore_case: Annotated[
        bool, Parameter(name=["--ignore-case", "-i"], negative="", help="Search without regard to case.")
    ] = False
    step: Annotated[
        str | None, Parameter(help="Only the output of a step, by its name or its index (from 0).")
    ] = None
    stream: Annotated[
        tuple[str, ...],
        Parameter(
            negative_iterable=(), help="Only stdout, stderr or system (what Tailrace says); commas between."
        ),
    ] = ()
    timestamps: Annotated[
        bool,
        Parameter(name=["--timestamps", "-t"], negative="", help="Begin each line with its time, in UTC."),
    ] = False
    raw: Annotated[
        bool, Parameter(negative="", help="The bytes of stdout and stderr as they are, and nothing else.")
    ] = False
    json: Annotated[bool, Parameter(negative="", help="A JSON object for each line.")] = False
    settled: Annotated[
        bool, Parameter(negative="", help="What a terminal would show: rewritten lines as they settled.")
    ] = False


NO_LOG_FLAGS = LogFlags()


def logs(
    target: str,
    /,
    *,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], negative="")] = False,
    exit_status: Annotated[bool, Parameter(negative="")] = False,
    replay: Annotated[bool, Parameter(negative="")] = False,
    speed: float = 1.0,
    max_pause: str | None = None,
    log: LogFlags = NO_LOG_FLAGS,
    flags: ClientFlags = NO_CLIENT_FLAGS,
) -> int:
    """Show the logs of a run, of a job, or of one attempt at it: all of it to standard output.

    Of each job the newest attempt is shown. Where a run has several jobs, each line begins with its job's name. What
    Tailrace itself says is dim on a terminal; --stream stdout,stderr leaves it out, and --raw does.

    Parameters
    ----------
    target:
        RUN, RUN/JOB or RUN/JOB/ATTEMPT, where RUN is an id or PROJECT#NUMBER; or job/ID or log/ID.
    follow:
        Show what comes, until the logs end; restarts of the server lose nothing.
    exit_status:
        With --follow: exit with the job's status, as `tailrace run --follow` does, instead of 0.
    replay:
        Play it with the timing that it had.
    speed:
        With --replay: so many times as fast.
    max_pause:
        With --replay: shorten longer pauses to this, such as 2s.
    """
    from tailrace.cli.log_arguments import longest_pause, read_wish
    from tailrace.cli.log_targets import find_target
    from tailrace.cli.show_logs import Shower

    wish = read_wish(log)
    if follow and replay:
        raise CallFailed("--follow and --replay: what comes now cannot be played as it was; choose one")
    if exit_status and not follow:
        raise CallFailed("--exit-status: only with --follow, which waits for the end")
    pause_s = longest_pause(replay, speed, max_pause)
    client = connect(flags)
    shower = Shower(client, find_target(client, target), wish)
    if follow:
        status = interrupt.run(shower.follow())
        return status if exit_status else 0
    if replay:
        shower.replay(speed, pause_s)
    else:
        shower.show()
    return 0
