"""A chunk as watchers get it: the bytes are those that Tailrace sends for the same chunk."""

from __future__ import annotations

import base64
import hashlib
import time

import orjson

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455, section 1.3."""

SSE_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache, no-transform\r\n"
    b"x-accel-buffering: no\r\n\r\n"
)


def sse_event(offset: int, data: bytes) -> bytes:
    """One event; its id is the offset of the next byte."""
    event = {
        "offset": offset,
        "time": time.time_ns() // 1_000_000,
        "stream": "stdout",
        "step": 1,
        "text": data.decode(),
    }
    return b"id: %d\nevent: chunk\ndata: %b\n\n" % (offset + len(data), orjson.dumps(event))


def live_message(offset: int, data: bytes) -> str:
    """The text of one message of `/api/live`."""
    chunk = {
        "offset": offset,
        "next": offset + len(data),
        "spans": [[offset, time.time_ns() // 1_000_000, "stdout", 1, 0]],
        "text": data.decode(),
    }
    return orjson.dumps({"topic": "log/1", "chunk": chunk}).decode()


def text_frame(message: str) -> bytes:
    """The message as a WebSocket frame from a server (RFC 6455, section 5.2)."""
    payload = message.encode()
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


def upgrade_answer(request: bytes) -> bytes:
    """The server's half of the handshake; `request` is the client's head. Raises ValueError without a key."""
    for line in request.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"sec-websocket-key":
            accept = base64.b64encode(hashlib.sha1(value.strip() + MAGIC).digest())
            return (
                b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
                b"sec-websocket-accept: %b\r\n\r\n" % accept
            )
    raise ValueError("the request has no Sec-WebSocket-Key")
