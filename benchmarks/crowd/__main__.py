"""`python -m benchmarks.crowd WISH`: watch a log many times over; WISH is JSON, see `Wish`.

It says on standard output, a JSON object a line, what has come about, and takes commands on standard input:

- `{"connected": SECONDS}`: every watcher has got something of the log.
- `{"received": SECONDS of its own processor time since then}`: every watcher has got `chunks` stamps.
- command `resume`: connect all those again whose connection has ended, at once, from where each was; then
  `{"connected_s": …, "first_s": …, "caught_up_s": …}`, when each has something that was written after the command. Only
  with `chunks` 0: otherwise no connection may end.
- command `end`: `{"late_ns": […], "size": bytes of the log}`, and the end.
- `{"broken": "…"}`: a watcher did not get the log as it is.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from dataclasses import dataclass

from benchmarks.crowd.crowd import Crowd
from benchmarks.crowd.forms import Live, Sse
from benchmarks.crowd.shared import Broken, SharedLog


@dataclass(frozen=True)
class Wish:
    """Watch so many times, in one `form` (sse, live), the log behind `path`; `topic` is its name on a WebSocket."""

    port: int
    watchers: int
    form: str
    path: str
    topic: str
    token: str
    chunks: int


def say(**words: object) -> None:
    print(json.dumps(words), flush=True)


def main() -> int:
    """Connect all, watch, report."""
    wish = Wish(**json.loads(sys.argv[1]))
    log = SharedLog()
    if wish.form == "sse":
        form = Sse(wish.port, wish.path, wish.token, log)
    else:
        form = Live(wish.port, wish.path, wish.token, log, wish.topic)
    crowd = Crowd(wish.port, form, sys.stdin.fileno())
    try:
        say(connected=crowd.connect(wish.watchers))
        gc.freeze()
        gc.disable()
        watch(crowd, wish.chunks)
    except Broken as error:
        say(broken=str(error))
        return 1
    crowd.close()
    say(late_ns=[ns for watcher in crowd.watchers for ns in watcher.late_ns], size=log.size)
    return 0


def watch(crowd: Crowd, chunks: int) -> None:
    """Until the command to end."""
    began = time.process_time()
    said = chunks == 0
    while True:
        command = crowd.turn()
        if command == "end":
            return
        if command == "resume":
            resume(crowd)
        if chunks:
            crowd.raise_lost()
        if not said and all(len(watcher.late_ns) >= chunks for watcher in crowd.watchers):
            said = True
            say(received=time.process_time() - began)


def resume(crowd: Crowd) -> None:
    """Connect again, and wait until all have something new."""
    began_ns = time.time_ns()
    connected_s = crowd.connect_again()
    first_s = 0.0
    behind = set(crowd.watchers)
    while behind:
        crowd.turn()
        crowd.connect_again()
        behind = {watcher for watcher in behind if watcher.newest_ns < began_ns}
        if not first_s and len(behind) < len(crowd.watchers):
            first_s = (time.time_ns() - began_ns) / 1e9
    say(connected_s=connected_s, first_s=first_s, caught_up_s=(time.time_ns() - began_ns) / 1e9)


if __name__ == "__main__":
    sys.exit(main())
