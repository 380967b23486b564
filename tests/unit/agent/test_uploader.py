from __future__ import annotations

import random
import tempfile
from collections import deque
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tailrace.agent.uploader import BACKLOG_BYTES, UNWATCHED_S, WATCHED_S, Upload, Uploader
from tailrace.domain.spans import Span, Stream
from tailrace.domain.wire import MAX_CHUNK_BYTES, WINDOW_BYTES, Chunk, unpack_chunk
from tailrace.runner.folder import AttemptFolder
from tailrace.runner.spool import SpoolReader, SpoolWriter


class GrowingSpool:
    """A real spool, with its writer."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True)
        folder = AttemptFolder(path)
        self.writer = SpoolWriter.open(folder)
        self.reader = SpoolReader(folder)
        self.time = 0

    def grow(self, length: int, pieces: int = 1) -> None:
        noise = random.Random(self.writer.size)
        for number in range(pieces):
            self.time += 10
            stream = Stream.STDERR if number % 3 == 1 else Stream.STDOUT
            self.writer.write(self.time, stream, number % 2, noise.randbytes(max(length // pieces, 1)))
        assert self.writer.flush()

    @property
    def whole(self) -> tuple[list[Span], bytes]:
        return self.reader.read(0, 1 << 30, 1 << 30)

    def close(self) -> None:
        self.writer.close()
        self.reader.close()


@pytest.fixture
def spool(tmp_path: Path) -> Generator[GrowingSpool]:
    spool = GrowingSpool(tmp_path / "attempt")
    yield spool
    spool.close()


def grow(spool: GrowingSpool, upload: Upload, length: int, *, finished: bool = False) -> None:
    spool.grow(length)
    upload.grew(spool.reader.size(), spool.reader.size() if finished else None)


def chunk_of(frame: bytes | None) -> Chunk:
    assert frame is not None
    return unpack_chunk(frame)


def test_the_first_chunk_of_a_log_goes_at_once(spool: GrowingSpool) -> None:
    """However small, and whether watched or not."""
    uploader = Uploader()
    grow(spool, uploader.add(1, spool.reader, 0), 1)
    assert uploader.next_due() == 0
    assert chunk_of(uploader.next_chunk(5.0)).end == 1


def test_small_pieces_go_every_two_seconds_while_nobody_watches(spool: GrowingSpool) -> None:
    """The first chunk does not count: it went at once."""
    uploader = Uploader()
    upload = uploader.add(1, spool.reader, 0)
    grow(spool, upload, 10)
    uploader.next_chunk(5.0)
    upload.acknowledge(10)
    grow(spool, upload, 10)
    assert uploader.next_due() == 5.0 + UNWATCHED_S
    assert uploader.next_chunk(5.0 + UNWATCHED_S - 0.001) is None
    assert chunk_of(uploader.next_chunk(5.0 + UNWATCHED_S)).offset == 10


def test_a_watched_log_goes_when_its_last_chunk_is_acknowledged_and_a_moment_after_it(
    spool: GrowingSpool,
) -> None:
    """Both: neither the acknowledgement alone nor the time alone is enough."""
    uploader = Uploader()
    uploader.watch(1, True)
    upload = uploader.add(1, spool.reader, 0)
    grow(spool, upload, 10)
    uploader.next_chunk(5.0)
    grow(spool, upload, 10)
    assert uploader.next_due() is None
    assert uploader.next_chunk(9.0) is None
    upload.acknowledge(10)
    assert uploader.next_due() == 5.0 + WATCHED_S
    assert uploader.next_chunk(5.0 + WATCHED_S - 0.001) is None
    assert chunk_of(uploader.next_chunk(5.0 + WATCHED_S)).offset == 10


def test_a_watcher_who_comes_hurries_the_log(spool: GrowingSpool) -> None:
    """What waited for its two seconds goes at once."""
    uploader = Uploader()
    upload = uploader.add(1, spool.reader, 0)
    grow(spool, upload, 10)
    uploader.next_chunk(5.0)
    upload.acknowledge(10)
    grow(spool, upload, 10)
    assert uploader.next_chunk(5.5) is None
    uploader.watch(1, True)
    assert uploader.next_chunk(5.5) is not None


@pytest.mark.parametrize("watched", [True, False])
def test_a_backlog_goes_at_once(spool: GrowingSpool, watched: bool) -> None:
    """It needs no acknowledgement of the chunk before, so that throughput does not depend on the way's length."""
    uploader = Uploader()
    uploader.watch(1, watched)
    upload = uploader.add(1, spool.reader, 0)
    grow(spool, upload, 1)
    uploader.next_chunk(5.0)
    grow(spool, upload, BACKLOG_BYTES)
    assert chunk_of(uploader.next_chunk(5.0)).end == 1 + BACKLOG_BYTES


def test_everything_goes_at_once_when_the_attempt_has_finished(spool: GrowingSpool) -> None:
    """And the log is whole when the server has acknowledged all of it, not before."""
    uploader = Uploader()
    upload = uploader.add(1, spool.reader, 0)
    grow(spool, upload, 10)
    uploader.next_chunk(5.0)
    grow(spool, upload, 10, finished=True)
    assert chunk_of(uploader.next_chunk(5.0)).end == 20
    upload.acknowledge(19)
    assert not upload.whole
    upload.acknowledge(20)
    assert upload.whole


def test_an_empty_log_is_whole_when_its_attempt_has_finished(spool: GrowingSpool) -> None:
    """There is nothing to wait for."""
    upload = Uploader().add(1, spool.reader, 0)
    upload.grew(0, 0)
    assert upload.whole


def test_logs_take_turns(tmp_path: Path) -> None:
    """A log with megabytes does not hold up the others."""
    uploader = Uploader()
    spools = [GrowingSpool(tmp_path / str(number)) for number in range(3)]
    for log, spool in enumerate(spools):
        grow(spool, uploader.add(log, spool.reader, 0), 4 * MAX_CHUNK_BYTES)
    order = [chunk_of(uploader.next_chunk(1.0)).log for _ in range(6)]
    assert order == [0, 1, 2, 0, 1, 2]
    for spool in spools:
        spool.close()


def test_the_window_is_used_up_and_not_passed(spool: GrowingSpool) -> None:
    """Four megabytes are on the way; the next chunk goes when there is room for a whole one."""
    uploader = Uploader()
    upload = uploader.add(1, spool.reader, 0)
    grow(spool, upload, 2 * WINDOW_BYTES)
    while uploader.next_chunk(1.0) is not None:
        pass
    assert uploader.in_flight == WINDOW_BYTES
    assert uploader.next_due() is None
    upload.acknowledge(10)
    assert uploader.next_chunk(1.0) is None
    upload.acknowledge(MAX_CHUNK_BYTES)
    assert len(chunk_of(uploader.next_chunk(1.0)).data) == MAX_CHUNK_BYTES


def test_a_late_acknowledgement_takes_nothing_back(spool: GrowingSpool) -> None:
    """One that only tells what is durable may name less than was received before."""
    uploader = Uploader()
    upload = uploader.add(1, spool.reader, 0)
    grow(spool, upload, 100)
    uploader.next_chunk(1.0)
    upload.acknowledge(100)
    upload.acknowledge(40)
    assert upload.received == 100


def test_many_answers_to_one_gap_rewind_once(spool: GrowingSpool) -> None:
    """Every chunk behind a refused one is refused too: what was sent again after the first answer is not sent a third time."""
    uploader = Uploader()
    upload = uploader.add(1, spool.reader, 1000)
    spool.grow(2 * MAX_CHUNK_BYTES)
    upload.grew(spool.reader.size(), None)
    while uploader.next_chunk(1.0) is not None:
        pass
    upload.rewind(500)
    again = [chunk_of(frame).offset for frame in iter(lambda: uploader.next_chunk(1.0), None)]
    assert again[0] == 500
    upload.rewind(500)
    assert uploader.next_chunk(1.0) is None


def test_a_chunk_from_before_a_rewind_is_not_on_its_way(spool: GrowingSpool) -> None:
    """The server ends at its beginning now, but has refused it already."""
    uploader = Uploader()
    upload = uploader.add(1, spool.reader, 1000)
    spool.grow(5000)
    upload.grew(5000, 5000)
    uploader.next_chunk(1.0)
    upload.rewind(500)
    upload.rewind(1000)
    assert chunk_of(uploader.next_chunk(1.0)).offset == 1000


def test_an_acknowledgement_of_what_was_not_sent_is_none(spool: GrowingSpool) -> None:
    """It is of bytes that the server has thrown away since: they are sent again."""
    uploader = Uploader()
    upload = uploader.add(1, spool.reader, 0)
    grow(spool, upload, 100, finished=True)
    uploader.next_chunk(1.0)
    upload.acknowledge(100)
    upload.rewind(0)
    upload.acknowledge(100)
    assert not upload.whole
    assert chunk_of(uploader.next_chunk(1.0)).end == 100


def test_a_removed_log_is_sent_no_more(spool: GrowingSpool) -> None:
    """And what it had on the way does not count any more."""
    uploader = Uploader()
    grow(spool, uploader.add(1, spool.reader, 0), 3 * MAX_CHUNK_BYTES)
    uploader.next_chunk(1.0)
    uploader.remove(1)
    assert uploader.next_chunk(1.0) is None
    assert uploader.in_flight == 0


WINDOW = 512 * 1024
LOGS = (7, 8)


class ServerLog:
    """The server's side of one log: it takes bytes at its end only."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.spans: list[Span] = []
        self.durable = 0

    def take(self, chunk: Chunk) -> bool:
        if chunk.offset != len(self.data):
            return False
        self.data += chunk.data
        self.spans += chunk.spans
        return True

    def cut(self, end: int) -> None:
        del self.data[end:]
        self.spans = [span for span in self.spans if span.offset < end]
        self.durable = min(self.durable, end)


class Uploading(RuleBasedStateMachine):
    """An agent's uploader and a server, with slow wires between them that may be cut at any time."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.spools = {log: GrowingSpool(Path(self._folder.name) / str(log)) for log in LOGS}
        self.server = {log: ServerLog() for log in LOGS}
        self.finished: set[int] = set()
        self.now = 100.0
        self.refused = 0
        self.connect()

    @initialize()
    def connect(self) -> None:
        self.up: deque[bytes] = deque()
        self.down: deque[tuple[str, int, int]] = deque()
        self.uploader = Uploader(WINDOW)
        for log in LOGS:
            self.uploader.add(log, self.spools[log].reader, len(self.server[log].data))
        self.look()

    def look(self) -> None:
        for log in LOGS:
            size = self.spools[log].reader.size()
            upload = self.uploader.get(log)
            assert upload is not None
            upload.grew(size, size if log in self.finished else None)

    @rule(
        log=st.sampled_from(LOGS),
        length=st.sampled_from([1, 90, 5000, 150_000, 700_000]),
        pieces=st.integers(1, 50),
    )
    def grow(self, log: int, length: int, pieces: int) -> None:
        if log not in self.finished:
            self.spools[log].grow(length, pieces)
            self.look()

    @precondition(lambda self: any(len(held.data) > 500_000 for held in self.server.values()))
    @rule(log=st.sampled_from(LOGS))
    def finish(self, log: int) -> None:
        self.finished.add(log)
        self.look()

    @rule(log=st.sampled_from(LOGS), watched=st.booleans())
    def watch(self, log: int, watched: bool) -> None:
        self.uploader.watch(log, watched)

    @rule(seconds=st.sampled_from([0.01, 0.06, 2.5]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(most=st.integers(1, 8))
    def send(self, most: int) -> None:
        for _ in range(most):
            frame = self.uploader.next_chunk(self.now)
            if frame is None:
                break
            self.up.append(frame)

    @rule(most=st.integers(1, 4))
    def arrive(self, most: int) -> None:
        """Chunks reach the server, which answers each."""
        for _ in range(min(most, len(self.up))):
            chunk = unpack_chunk(self.up.popleft())
            log = self.server[chunk.log]
            taken = log.take(chunk)
            self.refused += not taken
            self.down.append(("ack" if taken else "rewind", chunk.log, len(log.data)))

    @rule(length=st.sampled_from([90, 5000, 300_000]), sends=st.integers(0, 8), back=st.integers(0, 6))
    def flow(self, length: int, sends: int, back: int) -> None:
        """Output, and some way for everything: most of what happens."""
        for log in LOGS:
            self.grow(log, length, 3)
        self.now += 2.5
        self.send(sends)
        self.arrive(back)
        self.answer(back // 2)

    @precondition(lambda self: any(held.data for held in self.server.values()))
    @rule(log=st.sampled_from(LOGS))
    def sync(self, log: int) -> None:
        """What arrived is durable; the agent hears of it, and what it hears may be old already."""
        held = self.server[log]
        held.durable = len(held.data)
        self.down.append(("ack", log, held.durable))

    @precondition(lambda self: any(held.data for held in self.server.values()))
    @rule(log=st.sampled_from(LOGS))
    def take_all_anew(self, log: int) -> None:
        """The server found its copy wrong."""
        self.server[log].cut(0)
        self.down.append(("rewind", log, 0))

    @rule(most=st.integers(1, 4))
    def answer(self, most: int) -> None:
        """Answers reach the agent."""
        for _ in range(min(most, len(self.down))):
            kind, log, end = self.down.popleft()
            upload = self.uploader.get(log)
            assert upload is not None
            if kind == "ack":
                upload.acknowledge(end)
            else:
                upload.rewind(end)

    @precondition(lambda self: len(self.up) + len(self.down) > 2)
    @rule(data=st.data())
    def cut(self, data: st.DataObject) -> None:
        """The connection is lost, with all that was on it; a server that crashed has lost what was not durable too."""
        for held in self.server.values():
            held.cut(data.draw(st.integers(held.durable, len(held.data))))
        self.connect()

    @invariant()
    def the_window_is_never_passed(self) -> None:
        assert 0 <= self.uploader.in_flight <= WINDOW

    @invariant()
    def the_server_has_a_beginning_of_the_log(self) -> None:
        for log in LOGS:
            data = bytes(self.server[log].data)
            assert self.spools[log].whole[1][: len(data)] == data

    def teardown(self) -> None:
        """When nothing happens any more, the server has everything."""
        try:
            self.finished.update(LOGS)
            self.look()
            chunks, needed = (
                0,
                sum(spool.reader.size() // MAX_CHUNK_BYTES + 2 for spool in self.spools.values()),
            )
            while True:
                before = len(self.up)
                self.send(100)
                chunks += len(self.up) - before
                if not self.up and not self.down:
                    break
                assert chunks < 20 * needed + 200, "the same bytes are sent again and again"
                self.arrive(3)
                self.answer(2)
            for log in LOGS:
                spans, data = self.spools[log].whole
                assert bytes(self.server[log].data) == data
                assert self.server[log].spans == spans
                upload = self.uploader.get(log)
                assert upload is not None
                assert upload.whole
        finally:
            for spool in self.spools.values():
                spool.close()
            self._folder.cleanup()


Uploading.TestCase.settings = settings(
    max_examples=80,
    stateful_step_count=50,
    suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
)
TestUploading = Uploading.TestCase
