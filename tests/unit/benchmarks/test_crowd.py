"""The benchmarks' client must notice whatever a watcher was not given, or its figures mean nothing."""

from __future__ import annotations

import socket
from collections.abc import Callable, Generator

import pytest

from benchmarks.baselines.shapes import (
    SSE_HEAD,
    live_message,
    sse_event,
    text_frame,
    upgrade_answer,
)
from benchmarks.crowd.forms import Form, Live, Sse
from benchmarks.crowd.shared import Broken, SharedLog
from benchmarks.crowd.watcher import Pieces, Watcher

CHUNKS = (b"welcome\n", b"@1234567890123456789; one\n", "@1234567890123456790; zwölf\n".encode())
UPGRADED = upgrade_answer(b"GET / HTTP/1.1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
CHUNKED_HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

Shape = Callable[[int, bytes], bytes]


def as_http_chunk(offset: int, data: bytes) -> bytes:
    event = sse_event(offset, data)
    return b"%x\r\n%b\r\n" % (len(event), event)


def as_frame(offset: int, data: bytes) -> bytes:
    return text_frame(live_message(offset, data))


FORMS: dict[str, tuple[type[Form], bytes, Shape]] = {
    "events": (Sse, SSE_HEAD, sse_event),
    "events in HTTP chunks": (Sse, CHUNKED_HEAD, as_http_chunk),
    "frames": (Live, UPGRADED, as_frame),
}


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def watch(form: str) -> Generator[Callable[[], Watcher]]:
    """Makes watchers of one log."""
    kind = FORMS[form][0]
    log = SharedLog()
    made = Live(1, "/", "token", log, "log/1") if kind is Live else Sse(1, "/", "token", log)
    pieces = Pieces(made)
    lines: list[socket.socket] = []

    def new() -> Watcher:
        near, far = socket.socketpair()
        lines.extend((near, far))
        return Watcher(near, made, pieces)

    yield new
    for line in lines:
        line.close()


def answer(form: str, *chunks: tuple[int, bytes]) -> bytes:
    """A whole answer that has these chunks, each with its offset."""
    _, head, shape = FORMS[form]
    return head + b"".join(shape(offset, data) for offset, data in chunks)


def placed(*chunks: bytes) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    offset = 0
    for chunk in chunks:
        found.append((offset, chunk))
        offset += len(chunk)
    return found


def test_an_answer_is_understood_however_it_is_cut(form: str, watch: Callable[[], Watcher]) -> None:
    whole = answer(form, *placed(*CHUNKS))
    for cut in range(1, len(whole)):
        watcher = watch()
        watcher.take(whole[:cut], 1234567890123456800)
        watcher.take(whole[cut:], 1234567890123456800)
        assert watcher.next == sum(map(len, CHUNKS))
        assert list(watcher.late_ns) == [11, 10]


def test_a_chunk_that_was_left_out_is_noticed(form: str, watch: Callable[[], Watcher]) -> None:
    first, second, third = placed(*CHUNKS)
    watch().take(answer(form, first, second, third), 0)
    with pytest.raises(Broken, match="waited for byte 8"):
        watch().take(answer(form, first, third), 0)


def test_a_chunk_that_nobody_got_is_noticed(form: str, watch: Callable[[], Watcher]) -> None:
    first, _, third = placed(*CHUNKS)
    with pytest.raises(Broken, match="some before are missing"):
        watch().take(answer(form, first, third), 0)


def test_a_chunk_that_came_twice_is_noticed(form: str, watch: Callable[[], Watcher]) -> None:
    first, second, _ = placed(*CHUNKS)
    with pytest.raises(Broken, match="waited for byte"):
        watch().take(answer(form, first, second, second), 0)


def test_bytes_that_others_were_not_given_are_noticed(form: str, watch: Callable[[], Watcher]) -> None:
    watch().take(answer(form, (0, b"welcome\n")), 0)
    with pytest.raises(Broken, match="not those that others were sent"):
        watch().take(answer(form, (0, b"welcomE\n")), 0)


def test_a_refusal_is_noticed(watch: Callable[[], Watcher]) -> None:
    with pytest.raises(Broken, match="503"):
        watch().take(b"HTTP/1.1 503 Service Unavailable\r\n\r\n", 0)


@pytest.mark.parametrize("form", ["events"], indirect=True)
def test_a_gap_of_the_stream_is_noticed(watch: Callable[[], Watcher]) -> None:
    gap = b'id: 9\nevent: gap\ndata: {"from":0,"to":9}\n\n'
    with pytest.raises(Broken, match="was skipped"):
        watch().take(SSE_HEAD + gap, 0)


@pytest.mark.parametrize("form", ["frames"], indirect=True)
def test_a_gap_of_the_socket_is_noticed(watch: Callable[[], Watcher]) -> None:
    gap = text_frame('{"topic":"log/1","gap":{"from":0,"to":9}}')
    with pytest.raises(Broken, match="skipped or refused"):
        watch().take(UPGRADED + gap, 0)


def test_one_who_comes_back_goes_on_from_where_it_was(form: str, watch: Callable[[], Watcher]) -> None:
    first, second, third = placed(*CHUNKS)
    watcher = watch()
    watcher.take(answer(form, first, second), 0)
    near, far = socket.socketpair()
    with near, far:
        watcher.renew(near)
        watcher.ask()
        watcher.take(answer(form, third), 0)
        asked = far.recv(4096)
    assert str(third[0]).encode() in asked
    assert watcher.next == sum(map(len, CHUNKS))
