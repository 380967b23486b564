"""Searching on the server: which lines are fetched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tailrace.cli.client import CallFailed, Client
from tailrace.cli.found_stretches import NEAR_LINES, found_stretches
from tailrace.cli.remote_logs import RemoteLogs
from tailrace.cli.stretches import Stretch
from tailrace.domain.spans import Span, Stream

LINES = [b"line %d\n" % number for number in range(1, 5001)]


class Answers(Client):
    """Answers of the search, one list a call; an exception among them is raised."""

    def __init__(self, *answers: list[Any]) -> None:
        super().__init__("http://nowhere", "token")
        self.answers = list(answers)
        self.asked: list[int] = []

    def records(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        self.asked.append(query["from"])
        for record in self.answers.pop(0):
            if isinstance(record, Exception):
                raise record
            yield record


class Fetched(RemoteLogs):
    """A log of 5000 lines that notes what is fetched of it."""

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self.fetched: list[object] = []

    def lines(self, log: int, first: int, last: int, start: int, stop: int) -> Iterator[Stretch]:
        self.fetched.append((first, last))
        begin = max(offset_of(first), start)
        data = b"".join(LINES)[begin : min(offset_of(last + 1), stop)]
        yield Stretch(log, begin, data, [Span(begin, 0, Stream.STDOUT, 0)])

    def stretches(self, log: int, start: int, stop: int, *, spans: bool = True) -> Iterator[Stretch]:
        self.fetched.append(("all from", start))
        yield Stretch(log, start, b"".join(LINES)[start:stop], [Span(start, 0, Stream.STDOUT, 0)])


def offset_of(line: int) -> int:
    return sum(map(len, LINES[: line - 1]))


def hit(line: int) -> dict[str, Any]:
    return {"line": line, "offset": offset_of(line) + 2}


def end(following: int | None = None) -> dict[str, Any]:
    return {"end": {"next": following}}


def found(client: Answers, start: int = 0, stop: int = offset_of(5001)) -> tuple[list[object], list[Stretch]]:
    remote = Fetched(client)
    stretches = list(found_stretches(client, remote, 1, start, stop, "x", case=True))
    offset = start
    for stretch in stretches:
        assert stretch.offset >= offset, "what was given comes once"
        offset = stretch.next
    return remote.fetched, stretches


def test_neighbours_are_fetched_together() -> None:
    """And what is far apart is not."""
    client = Answers([hit(3), hit(4), hit(4 + NEAR_LINES), {"progress": {}}, hit(2000), hit(4999), end()])
    fetched, stretches = found(client)
    assert fetched == [(3, 4 + NEAR_LINES), (2000, 2000), (4999, 4999)]
    assert stretches[1].data == b"line 2000\n"
    assert found(Answers([end()])) == ([], [])


def test_the_search_goes_on_where_its_limit_ended_it() -> None:
    """With every hit."""
    client = Answers([hit(3), end(offset_of(4))], [hit(4), end()])
    assert found(client)[0] == [(3, 3), (4, 4)]
    assert client.asked == [0, offset_of(4)]


def test_a_log_that_grew_meanwhile_ends_where_it_was() -> None:
    """And begins where it was asked to, in the midst of a line too."""
    fetched, stretches = found(Answers([hit(3), hit(9), hit(5000), end()]), offset_of(3) + 1, offset_of(10))
    assert fetched == [(3, 9)]
    assert (stretches[0].offset, stretches[0].next) == (offset_of(3) + 1, offset_of(10))


def test_where_the_server_cannot_search_all_is_fetched() -> None:
    """From behind what was given, whether it refuses, breaks off or goes away."""
    fetched, _ = found(Answers([CallFailed("no")]))
    assert fetched == [("all from", 0)]
    for trouble in ({"error": {"detail": "the archive is away"}}, CallFailed("gone")):
        fetched, _ = found(Answers([hit(3), hit(2000), hit(4000), trouble]))
        assert fetched == [(3, 3), (2000, 2000), ("all from", offset_of(2001))]
