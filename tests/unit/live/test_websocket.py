"""WebSocket frames, held against another implementation of RFC 6455."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Close as TheirClose
from websockets.frames import Frame, Opcode

from tailrace.live.websocket import (
    MOST_BYTES,
    PING_FRAME,
    Close,
    FrameError,
    FrameReader,
    Ping,
    Pong,
    Said,
    close_frame,
    code_of,
    payload_of,
    pong_frame,
    text_frame,
)

Message = Said | Ping | Pong | Close


def masked(opcode: Opcode, data: bytes, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)


def read_all(reader: FrameReader) -> list[Message]:
    found: list[Message] = []
    while (message := reader.take()) is not None:
        found.append(message)
    return found


def read(data: bytes) -> list[Message]:
    reader = FrameReader()
    reader.feed(data)
    return read_all(reader)


control = st.one_of(
    st.builds(Ping, st.binary(max_size=125)),
    st.builds(Pong, st.binary(max_size=125)),
)
sizes = st.sampled_from([0, 1, 3, 4, 5, 125, 126, 127, 65535, 65536])


@st.composite
def conversations(draw: st.DrawFn) -> tuple[list[Message], bytes]:
    """Messages in the order in which they are whole, and their bytes: fragmented, with control frames in between."""
    whole: list[Message] = []
    data = b""

    def control_frames() -> bytes:
        sent = b""
        for message in draw(st.lists(control, max_size=2)):
            whole.append(message)
            sent += masked(Opcode.PING if isinstance(message, Ping) else Opcode.PONG, message.data)
        return sent

    for _ in range(draw(st.integers(0, 4))):
        data += control_frames()
        text = draw(st.booleans())
        body = ("é" * draw(st.integers(0, 90))).encode() if text else b"\xff" * draw(sizes)
        cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=3)))
        parts = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
        for place, part in enumerate(parts):
            opcode = (Opcode.TEXT if text else Opcode.BINARY) if place == 0 else Opcode.CONT
            data += masked(opcode, part, fin=place == len(parts) - 1)
            if place < len(parts) - 1:
                data += control_frames()
        whole.append(Said(body))
    return whole, data


@given(conversations(), st.data())
def test_messages_are_the_same_however_their_bytes_are_cut(
    conversation: tuple[list[Message], bytes], data: st.DataObject
) -> None:
    """Between any two bytes, and also when several frames come at once."""
    whole, sent = conversation
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=12)))
    reader = FrameReader()
    found: list[Message] = []
    for begin, end in zip([0, *cuts], [*cuts, len(sent)], strict=True):
        reader.feed(sent[begin:end])
        if data.draw(st.booleans()):
            found += read_all(reader)
    assert found + read_all(reader) == whole


def test_every_byte_alone_is_enough() -> None:
    """A network may deliver them one by one."""
    sent = masked(Opcode.TEXT, b"he", fin=False) + masked(Opcode.PING, b"!") + masked(Opcode.CONT, b"llo")
    reader = FrameReader()
    found: list[Message] = []
    for at in range(len(sent)):
        reader.feed(sent[at : at + 1])
        found += read_all(reader)
    assert found == [Ping(b"!"), Said(b"hello")]


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    """They are messages, or unfinished, or refused."""
    with suppress(FrameError):
        read(data)


AGAINST = {
    "not masked": (b"\x81\x02hi", 1002),
    "a reserved bit": (b"\xc1\x80\0\0\0\0", 1002),
    "a reserved opcode": (b"\x83\x80\0\0\0\0", 1002),
    "a reserved control opcode": (b"\x8b\x80\0\0\0\0", 1002),
    "half a ping": (b"\x09\x80\0\0\0\0", 1002),
    "a long ping": (b"\x89\xfe\0\x7e", 1002),
    "a continuation of nothing": (masked(Opcode.CONT, b"x"), 1002),
    "one within another": (masked(Opcode.TEXT, b"a", fin=False) + masked(Opcode.TEXT, b"b"), 1002),
    "no UTF-8": (masked(Opcode.TEXT, b"\xff"), 1007),
    "half a character": (masked(Opcode.TEXT, b"\xc3", fin=False) + masked(Opcode.CONT, b"x"), 1007),
    "half a code": (masked(Opcode.CLOSE, b"\x03"), 1002),
    "a low code": (masked(Opcode.CLOSE, (999).to_bytes(2, "big")), 1002),
    "a code that is not sent": (masked(Opcode.CLOSE, (1005).to_bytes(2, "big")), 1002),
    "a code of nobody": (masked(Opcode.CLOSE, (2000).to_bytes(2, "big")), 1002),
    "a reason without UTF-8": (masked(Opcode.CLOSE, (1000).to_bytes(2, "big") + b"\xff"), 1007),
    "too big": (masked(Opcode.BINARY, bytes(MOST_BYTES + 1)), 1009),
    "far too big": (b"\x82\xff\xff" + bytes(7), 1009),
    "too big in parts": (
        masked(Opcode.BINARY, bytes(MOST_BYTES), fin=False) + masked(Opcode.CONT, b"x"),
        1009,
    ),
    "too many parts": (
        masked(Opcode.BINARY, b"", fin=False) + masked(Opcode.CONT, b"", fin=False) * 2000,
        1009,
    ),
}


@pytest.mark.parametrize("what", AGAINST)
def test_what_is_against_the_protocol_has_its_code(what: str) -> None:
    """RFC 6455, 7.4.1."""
    sent, code = AGAINST[what]
    with pytest.raises(FrameError) as refused:
        read(sent)
    assert refused.value.code == code


def test_a_frame_that_is_too_big_is_refused_by_its_head() -> None:
    """Before its bytes have come, so that nobody makes us hold them."""
    with pytest.raises(FrameError):
        read(masked(Opcode.BINARY, bytes(MOST_BYTES + 1))[:10])


@pytest.mark.parametrize("code", [1000, 1001, 1012, 3000, 4999])
def test_a_close_names_its_code(code: int) -> None:
    """Or none."""
    assert read(masked(Opcode.CLOSE, TheirClose(code, "bye").serialize())) == [Close(code)]
    assert read(masked(Opcode.CLOSE, b"")) == [Close(None)]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 200_000])
def test_our_frames_are_what_others_make(size: int) -> None:
    """Byte for byte."""
    data = b"x" * size
    assert text_frame(data) == Frame(Opcode.TEXT, data).serialize(mask=False)
    assert payload_of(text_frame(data)) == data
    assert code_of(text_frame(data)) is None
    if size <= 125:
        assert pong_frame(data) == Frame(Opcode.PONG, data).serialize(mask=False)
    assert Frame(Opcode.PING, b"").serialize(mask=False) == PING_FRAME


def test_our_close_fits_its_frame() -> None:
    """A long reason is cut between characters."""
    assert close_frame(1002, "why") == Frame(Opcode.CLOSE, TheirClose(1002, "why").serialize()).serialize(
        mask=False
    )
    assert close_frame(None) == b"\x88\x00"
    frame = close_frame(1002, "é" * 100)
    assert len(frame) <= 127
    assert frame[4:].decode() == "é" * 61
    assert code_of(frame) == 1002
