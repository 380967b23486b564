"""Large messages of a client, held against another implementation of RFC 6455."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from tailrace.live.websocket import Close, FrameError, Ping, Pong
from tailrace.live.websocket_buffer import LARGE_BYTES, SMALL_BYTES, MessageBuffer

MOST = 2 * LARGE_BYTES
Message = str | bytes | Ping | Pong | Close


def masked(opcode: Opcode, data: bytes, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)


def put(buffer: MessageBuffer, data: bytes) -> None:
    """As the system does: as many bytes as there is room for."""
    room = buffer.room()
    assert len(room) >= len(data)
    room[: len(data)] = data
    buffer.filled(len(data))


def pour(buffer: MessageBuffer, data: bytes, step: int) -> list[Message]:
    """The messages that come of it, `step` bytes at a time or what there is room for."""
    found: list[Message] = []
    while data:
        size = min(step, len(buffer.room()))
        put(buffer, data[:size])
        data = data[size:]
        while (message := buffer.take()) is not None:
            found.append(message)
    return found


sizes = st.sampled_from(
    [0, 1, 125, 126, 65535, 65536, SMALL_BYTES - 14, SMALL_BYTES, LARGE_BYTES - 3, LARGE_BYTES + 9]
)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[list[Message], bytes]:
    """Messages, some of them in several frames with a ping between, and the bytes of all."""
    whole: list[Message] = []
    data = b""
    for number in range(draw(st.integers(1, 5))):
        text = draw(st.booleans())
        body = ("é" * draw(st.integers(0, 90))).encode() if text else bytes([number]) * draw(sizes)
        cut = draw(st.integers(0, len(body)))
        first = Opcode.TEXT if text else Opcode.BINARY
        if draw(st.booleans()):
            data += masked(first, body[:cut], fin=False) + masked(Opcode.PING, b"there?")
            data += masked(Opcode.CONT, body[cut:])
            whole.append(Ping(b"there?"))
        else:
            data += masked(first, body)
        whole.append(body.decode() if text else body)
    return whole, data


@given(conversations(), st.sampled_from([1000, 16 * 1024, 100_000, 10 * LARGE_BYTES]))
def test_messages_survive_every_cut(conversation: tuple[list[Message], bytes], step: int) -> None:
    """However the bytes arrive, the messages are those that were sent, in their order."""
    whole, data = conversation
    assert pour(MessageBuffer(MOST), data, step) == whole


@given(st.lists(st.integers(0, 300), max_size=30))
def test_a_message_byte_by_byte(lengths: list[int]) -> None:
    """Nothing is expected to be there at once."""
    data = b"".join(masked(Opcode.BINARY, bytes(length)) for length in lengths)
    assert pour(MessageBuffer(MOST), data, 1) == [bytes(length) for length in lengths]


def test_a_buffer_grows_for_what_pours_and_shrinks_for_who_talks() -> None:
    """Agents that are idle keep no large buffer."""
    buffer = MessageBuffer(MOST)
    assert len(buffer.room()) == SMALL_BYTES
    pour(buffer, masked(Opcode.BINARY, bytes(SMALL_BYTES)), LARGE_BYTES)
    assert len(buffer.room()) == LARGE_BYTES
    pour(buffer, masked(Opcode.TEXT, b"{}"), LARGE_BYTES)
    assert len(buffer.room()) == SMALL_BYTES


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (Frame(Opcode.BINARY, b"bare").serialize(mask=False), 1002),
        (masked(Opcode.CONT, b"of nothing"), 1002),
        (masked(Opcode.BINARY, b"a", fin=False) + masked(Opcode.BINARY, b"b"), 1002),
        (masked(Opcode.TEXT, b"\xff"), 1007),
        (masked(Opcode.BINARY, bytes(MOST + 1)), 1009),
        (masked(Opcode.BINARY, bytes(MOST), fin=False) + masked(Opcode.CONT, b"x"), 1009),
        (masked(Opcode.BINARY, b"", fin=False) + masked(Opcode.CONT, b"", fin=False) * 2000, 1009),
    ],
    ids=[
        "bare",
        "of nothing",
        "two begun",
        "no text",
        "large",
        "large in two",
        "in thousands",
    ],  # masks are random
)
def test_what_no_client_may_send(frames: bytes, code: int) -> None:
    """The reader says so, with the code that the protocol has for it, and keeps no more than it may."""
    with pytest.raises(FrameError) as caught:
        pour(MessageBuffer(MOST), frames, LARGE_BYTES)
    assert caught.value.code == code
