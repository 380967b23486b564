"""A run's output as if its jobs ran here: stdout to stdout, the rest to stderr."""

from __future__ import annotations

import sys

from tailrace.cli.log_printing import LinePrinter, LineWriter, Look, PlainPrinter, Printer
from tailrace.cli.log_targets import Source
from tailrace.cli.out import Out
from tailrace.cli.stretches import Stretch
from tailrace.domain.spans import Stream


class RunPrinter:
    """Prints the logs of a run's `jobs`: where there are several, each line begins with its job's name.

    Raises what `Out` does.
    """

    def __init__(self, jobs: tuple[str, ...]) -> None:
        self._out = Out(sys.stdout.buffer)
        self._error = Out(sys.stderr.buffer)
        colours = self._out.colours and self._error.colours
        self._printer: Printer
        if len(jobs) > 1:
            self._printer = LinePrinter(self._route, LineWriter(Look(colours), jobs, None))
        else:
            self._printer = PlainPrinter(self._route, colours)

    def begin(self, source: Source) -> None:
        """This log will come; again whenever more is known of it."""
        self._printer.begin(source)

    def take(self, stretch: Stretch) -> None:
        """Print it, as far as it is whole."""
        for piece in stretch.pieces():
            self._printer.take(piece)
        self._flush()

    def end(self, log: int) -> None:
        """All of this log came."""
        self._printer.end(log)
        self._flush()

    def _route(self, stream: Stream) -> Out:
        return self._out if stream is Stream.STDOUT else self._error

    def _flush(self) -> None:
        self._out.flush()
        self._error.flush()
