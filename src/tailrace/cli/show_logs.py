"""Shows the logs of a target: what there is, what comes, or once more as it came."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from tailrace.cli.client import CallFailed, Client
from tailrace.cli.follow import LogFollower, exit_of_run
from tailrace.cli.found_stretches import found_stretches
from tailrace.cli.log_printing import Printer
from tailrace.cli.log_targets import Source, Target, exit_status
from tailrace.cli.log_wish import LogWish, Sieve
from tailrace.cli.out import Out
from tailrace.cli.remote_logs import RemoteLogs
from tailrace.cli.replay import Timeline, play
from tailrace.cli.stretches import Piece, Stretch


class Shower:
    """Everything goes to standard output."""

    def __init__(self, client: Client, target: Target, wish: LogWish) -> None:
        self._client = client
        self._target = target
        self._wish = wish
        self._remote = RemoteLogs(client)
        self._out = Out(sys.stdout.buffer)
        self._sieve = Sieve(wish, self._steps_of)
        self._printer: Printer | None = None

    def show(self) -> None:
        """What there is now, one log after the other."""
        for source in self._sources():
            for stretch in self._stretches(source):
                self.take(stretch)
            self.end(source.log)

    def replay(self, speed: float, max_pause_s: float | None) -> None:
        """What there is now, the logs together, at the pace at which it came."""
        sources = self._sources()
        play(
            [self._pieces(source) for source in sources],
            self._play,
            Timeline(speed, max_pause_s),
        )
        for source in sources:
            self.end(source.log)

    async def follow(self) -> int:
        """What comes, until there is no more; the exit status that stands for how it ended."""
        if self._target.run is None:
            self._sources()
        elif self._wish.start is not None and self._target.job is None:
            self._one_log(self._target.jobs(self._client.get(f"/api/runs/{self._target.run}")))
        run = await LogFollower(self._client, self._target, self._start, self).follow()
        if run is None:
            return 0
        self._target.check_attempt(run)
        self._sieve.check_step()
        return exit_of_run(run) if self._target.job is None else exit_status(self._target.jobs(run))

    # What a follower gives:

    def open(self, run: dict[str, Any] | None, source: Source) -> None:
        if self._printer is None:
            jobs = tuple(job["name"] for job in self._target.jobs(run)) if run else ()
            self._printer = self._wish.printer(self._out, jobs)
        self._printer.begin(source)
        self._sieve.know(source)

    def take(self, stretch: Stretch) -> bool:
        printer = self._the_printer
        for piece in self._sieve.wanted(stretch):
            printer.take(piece)
        self._out.flush()
        return not self._sieve.ends(stretch)

    @property
    def waits(self) -> bool:
        return self._printer is not None and self._printer.waits

    def quiet(self) -> None:
        self._the_printer.quiet()
        self._out.flush()

    def end(self, log: int) -> None:
        self._the_printer.end(log)
        self._out.flush()

    @property
    def _the_printer(self) -> Printer:
        assert self._printer is not None, "a log is announced before its first piece"
        return self._printer

    def _sources(self) -> list[Source]:
        if self._target.run is None:
            assert self._target.log is not None
            self._remote.extent(self._target.log)  # it raises when there is no such log
            run, sources = None, [Source(self._target.log, "", 0, "", {})]
        else:
            run = self._client.get(f"/api/runs/{self._target.run}")
            self._target.check_attempt(run)
            sources = self._target.sources(run, set())
            if not sources:
                print(f"run {run['id']} is {run['state']}: there is no log yet", file=sys.stderr)
            if self._wish.start is not None:
                self._one_log(self._target.jobs(run))
        for source in sources:
            self.open(run, source)
        self._sieve.check_step()
        return sources

    def _one_log(self, jobs: list[dict[str, Any]]) -> None:
        if len(jobs) > 1:
            raise CallFailed(
                f"--from: a byte of one log, and there are {len(jobs)} jobs; name one as RUN/JOB"
            )

    def _start(self, source: Source) -> int:
        return self._wish.start_of(self._remote, source)

    def _stretches(self, source: Source, *, spans: bool = False) -> Iterator[Stretch]:
        start, stop = self._start(source), self._remote.extent(source.log).stop
        if self._wish.grep is not None and self._wish.searched:
            found = found_stretches(
                self._client,
                self._remote,
                source.log,
                start,
                stop,
                self._wish.grep,
                case=not self._wish.ignore_case,
            )
        else:
            spans = spans or self._out.colours or not self._wish.plain
            found = self._remote.stretches(source.log, start, stop, spans=spans)
        following = start
        for stretch in found:
            if stretch.offset != following:
                # What was left out between would otherwise be joined.
                self.end(source.log)
            following = stretch.next
            yield stretch
            if self._sieve.ends(stretch):
                return

    def _pieces(self, source: Source) -> Iterator[Piece]:
        for stretch in self._stretches(source, spans=True):
            yield from self._sieve.wanted(stretch)

    def _play(self, piece: Piece) -> None:
        self._the_printer.take(piece)
        self._out.flush()

    def _steps_of(self, log: int) -> dict[int, str]:
        if self._target.run is None:
            raise CallFailed(
                "--step: a log by itself does not know its steps' names; name the run, or a step's index"
            )
        run = self._client.get(f"/api/runs/{self._target.run}")
        steps = {source.log: source.steps for source in self._target.sources(run, {log})}
        return steps.get(log, {})
