"""What of a log is wanted, and how it is to be shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tailrace.cli.client import CallFailed
from tailrace.cli.log_printing import (
    LinePrinter,
    LineWriter,
    Look,
    PlainPrinter,
    Printer,
    SettledPrinter,
)
from tailrace.cli.log_targets import Source
from tailrace.cli.out import Out
from tailrace.cli.remote_logs import RemoteLogs
from tailrace.cli.stretches import Piece, Stretch
from tailrace.domain.spans import STREAMS_BY_WORD, Stream


@dataclass(frozen=True)
class LogWish:
    """Where to begin, at most one of `start` (bytes), `tail` (lines) and `since` (ms); `until` (ms) ends it. `step` is a
    name or an index. `streams` are all when None, and stdout and stderr with `raw`."""

    start: int | None = None
    tail: int | None = None
    since: int | None = None
    until: int | None = None
    grep: str | None = None
    ignore_case: bool = False
    step: str | None = None
    streams: frozenset[Stream] | None = None
    timestamps: bool = False
    raw: bool = False
    json: bool = False
    settled: bool = False

    def check(self) -> None:
        """Raise CallFailed when it contradicts itself."""
        begins = {"--from": self.start, "--tail": self.tail, "--since": self.since}
        given = [flag for flag, value in begins.items() if value is not None]
        if len(given) > 1:
            raise CallFailed(f"{given[0]} and {given[1]}: a log is shown from one place on; name one of them")
        shows = {
            "--raw": self.raw,
            "--json": self.json,
            "--timestamps": self.timestamps,
            "--settled": self.settled,
        }
        given = [flag for flag, value in shows.items() if value]
        if len(given) > 1:
            raise CallFailed(f"{given[0]} and {given[1]}: these are two forms of output; choose one")
        if self.raw and self.grep is not None:
            raise CallFailed("--raw and --grep: raw output is bytes, and lines are searched; leave out --raw")

    @property
    def plain(self) -> bool:
        """Whether what is printed depends on the bytes alone."""
        every = self.streams is None and not self.raw
        return every and self.step is None and self.until is None and not (self.timestamps or self.json)

    @property
    def searched(self) -> bool:
        """Whether only matching lines of the log itself are wanted, which the server can find."""
        return self.grep is not None and not self.settled

    def start_of(self, remote: RemoteLogs, source: Source) -> int:
        """The offset at which the log is to begin; blocks."""
        if self.start is not None:
            return self.start
        if self.tail is not None:
            return remote.extent(source.log, tail=self.tail).start
        if self.since is not None:
            return remote.extent(source.log, at=self.since).start
        return 0

    def printer(self, out: Out, jobs: tuple[str, ...]) -> Printer:
        """Prints to `out`; `jobs` are told apart by name when they are several."""

        def route(_: Stream) -> Out:
            return out

        several = len(jobs) > 1 and not self.raw
        accepts = None if self.grep is None else line_pattern(self.grep, self.ignore_case)
        if several or accepts or self.timestamps or self.json:
            look = Look(out.colours and not self.json, self.timestamps, self.json)
            printer: Printer = LinePrinter(route, LineWriter(look, jobs if several else (), accepts))
        else:
            printer = PlainPrinter(route, dims=out.colours and not self.raw and not self.settled)
        return SettledPrinter(printer) if self.settled else printer


class Sieve:
    """Lets the wanted pieces through. `steps_of` asks the server again for the names of a log's steps."""

    def __init__(self, wish: LogWish, steps_of: Callable[[int], dict[int, str]]) -> None:
        self._wish = wish
        self._steps_of = steps_of
        self._steps: dict[int, dict[int, str]] = {}
        self._streams = wish.streams or frozenset({Stream.STDOUT, Stream.STDERR} if wish.raw else Stream)

    def know(self, source: Source) -> None:
        self._steps[source.log] = source.steps

    def check_step(self) -> None:
        """Raise CallFailed, which names the steps that have begun, when the one that is wanted is none of the known logs'."""
        step = self._wish.step
        known = {(index, name) for steps in self._steps.values() for index, name in steps.items()}
        if step is None or not known or any(step in (str(index), name) for index, name in known):
            return
        begun = ", ".join(f"{index} {name}".rstrip() for index, name in sorted(known))
        raise CallFailed(f"--step {step!r}: no step of that name or index has begun; there are {begun}")

    def ends(self, stretch: Stretch) -> bool:
        """Whether what is wanted of the log ends within this stretch."""
        until = self._wish.until
        return until is not None and any(span.time >= until for span in stretch.spans)

    def wanted(self, stretch: Stretch) -> list[Piece]:
        found: list[Piece] = []
        for piece in stretch.pieces():
            if self._wish.until is not None and piece.time >= self._wish.until:
                break
            if piece.stream in self._streams and self._in_step(piece):
                found.append(piece)
        return found

    def _in_step(self, piece: Piece) -> bool:
        step = self._wish.step
        if step is None or step == str(piece.step):
            return True
        if step.isascii() and step.isdigit():
            return False
        steps = self._steps.get(piece.log, {})
        if piece.step not in steps:
            steps = self._steps[piece.log] = {**steps, piece.step: "", **self._steps_of(piece.log)}
        return steps[piece.step] == step


def streams_of(words: tuple[str, ...]) -> frozenset[Stream] | None:
    """The streams that a flag names, with commas or repeated; None for none. Raises CallFailed."""
    named = [word for text in words for word in text.split(",")]
    unknown = [word for word in named if word not in STREAMS_BY_WORD]
    if unknown:
        raise CallFailed(f"--stream {unknown[0]!r} is unknown; allowed are {', '.join(STREAMS_BY_WORD)}")
    return frozenset(STREAMS_BY_WORD[word] for word in named) or None


def line_pattern(pattern: str, ignore_case: bool) -> Callable[[bytes], bool]:
    """Whether a line has a match, in time that grows with the line's length alone. Raises CallFailed."""
    import re2  # pyright: ignore[reportMissingTypeStubs]

    module: Any = re2
    options = module.Options()
    options.case_sensitive = not ignore_case
    options.log_errors = False
    try:
        expression = module.compile(pattern.encode(), options)
    except module.error as error:
        said = error.args[0] if error.args else b""
        words = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        raise CallFailed(f"--grep {pattern!r} is no regular expression (RE2): {words}") from None
    return lambda line: expression.search(line) is not None
