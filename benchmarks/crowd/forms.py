"""The two forms in which a log is watched: how one asks, and how the answer is taken apart."""

from __future__ import annotations

import base64
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

from benchmarks.crowd.shared import Broken, Piece, SharedLog

HEAD_END = b"\r\n\r\n"


class Parsed(NamedTuple):
    """What a stretch of an answer held: pieces, how many of its bytes were whole, and what to send back."""

    pieces: tuple[Piece, ...]
    used: int
    answer: bytes


class Form(ABC):
    """How all watchers of a crowd talk with the server."""

    status = b""
    _chunked = False

    def __init__(self, port: int, path: str, token: str, log: SharedLog) -> None:
        self._log = log
        self._path = path
        self._common = f"Host: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"

    @abstractmethod
    def request(self, resume: int | None) -> bytes:
        """Ask for the log from its beginning, or from where one was."""

    @abstractmethod
    def wish(self, resume: int | None) -> bytes:
        """What to send once the head of the answer has come."""

    @abstractmethod
    def parse(self, data: bytes) -> Parsed:
        """Take what is whole; raises Broken."""

    def take_head(self, data: bytes) -> int:
        """Where the head of the answer ends, 0 when more of it is to come; raises Broken when it is a refusal."""
        end = data.find(HEAD_END)
        if end < 0:
            return 0
        if not data.startswith(b"HTTP/1.1 " + self.status):
            raise Broken(f"the server refused: {data[:500]!r}")
        self._chunked = b"\r\ntransfer-encoding: chunked" in data[:end].lower()
        return end + len(HEAD_END)


class Sse(Form):
    """Server-sent events, in chunks of HTTP or until the end of the connection."""

    status = b"200"

    def request(self, resume: int | None) -> bytes:
        last = "" if resume is None else f"Last-Event-ID: {resume}\r\n"
        return (
            f"GET {self._path} HTTP/1.1\r\n{self._common}Accept: text/event-stream\r\n{last}\r\n"
        ).encode()

    def wish(self, resume: int | None) -> bytes:
        return b""

    def parse(self, data: bytes) -> Parsed:
        body, used = _join_chunks(data) if self._chunked else (data, len(data))
        if not body.endswith(b"\n\n"):
            if self._chunked or b"\n\n" not in body:
                return Parsed((), 0, b"")
            used = body.rindex(b"\n\n") + 2
            body = body[:used]
        pieces: list[Piece] = []
        for event in body.split(b"\n\n"):
            parts = (line.partition(b": ") for line in event.split(b"\n"))
            fields = {name: value for name, _, value in parts}
            match fields.get(b"event"):
                case b"chunk":
                    found = json.loads(fields[b"data"])
                    pieces.append(self._log.piece(found["offset"], int(fields[b"id"]), found["text"]))
                case b"gap":
                    raise Broken(f"a watcher was skipped: {event!r}")
                case _:
                    pass
        return Parsed(tuple(pieces), used, b"")


class Live(Form):
    """Messages of a WebSocket, one a frame."""

    status = b"101"

    def __init__(self, port: int, path: str, token: str, log: SharedLog, topic: str) -> None:
        super().__init__(port, path, token, log)
        self._topic = topic

    def request(self, resume: int | None) -> bytes:
        key = base64.b64encode(os.urandom(16)).decode()
        return (
            f"GET {self._path} HTTP/1.1\r\n{self._common}Upgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        ).encode()

    def wish(self, resume: int | None) -> bytes:
        return _masked(1, json.dumps({"op": "watch", "topic": self._topic, "from": resume or 0}).encode())

    def parse(self, data: bytes) -> Parsed:
        pieces: list[Piece] = []
        answer = b""
        at = 0
        while (frame := _frame_at(data, at)) is not None:
            kind, begin, at = frame
            if kind == 1:
                message: Mapping[str, Any] = json.loads(data[begin:at])
                if "chunk" in message:
                    chunk = message["chunk"]
                    pieces.append(self._log.piece(chunk["offset"], chunk["next"], chunk["text"]))
                elif "gap" in message or "error" in message:
                    raise Broken(f"a watcher was skipped or refused: {message}")
            elif kind == 9:
                answer += _masked(10, data[begin:at])
        return Parsed(tuple(pieces), at, answer)


def _join_chunks(data: bytes) -> tuple[bytes, int]:
    """The body that lies in whole HTTP chunks, and how many bytes those are."""
    parts: list[bytes] = []
    at = 0
    while (line := data.find(b"\r\n", at)) >= 0:
        stop = line + 2 + int(data[at:line], 16) + 2
        if stop > len(data):
            break
        parts.append(data[line + 2 : stop - 2])
        at = stop
    return b"".join(parts), at


def _frame_at(data: bytes, at: int) -> tuple[int, int, int] | None:
    """Opcode, begin and end of the payload of the frame that begins at `at`, if it is whole."""
    if len(data) < at + 2:
        return None
    kind, size, begin = data[at] & 0x0F, data[at + 1], at + 2
    if size >= 126:
        width = 2 if size == 126 else 8
        size, begin = int.from_bytes(data[begin : begin + width], "big"), begin + width
    return (kind, begin, begin + size) if len(data) >= begin + size else None


def _masked(kind: int, payload: bytes) -> bytes:
    """A frame from a client, with a mask of zeros; payloads of less than 126 bytes."""
    return bytes((0x80 | kind, 0x80 | len(payload))) + b"\0\0\0\0" + payload
