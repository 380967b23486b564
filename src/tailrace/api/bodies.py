"""Bodies of strangers: read while there is room for them, and no longer than a sender may take."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from tailrace.api.problems import problem

MAX_BODY_BYTES = 25 * 1024 * 1024
ROOM_BYTES = 128 * 1024 * 1024
"""Of all bodies that are being read, beyond what each may have anyway."""
SMALL_BYTES = 64 * 1024
"""What each may have anyway: nearly all webhooks are smaller, and large ones do not keep them out."""
WITHIN_S = 60.0


class BodyRefused(Exception):
    """There is no room for the body, or no time; `answer` says so to its sender."""

    def __init__(self, answer: Response) -> None:
        super().__init__(answer.status_code)
        self.answer = answer


class Bodies:
    """Reads the bodies of requests whose senders have proved nothing yet."""

    def __init__(self, *, room: int = ROOM_BYTES, within_s: float = WITHIN_S) -> None:
        self._room = room
        self._within_s = within_s

    async def read(self, request: Request) -> bytes:
        """The whole raw body. Raises BodyRefused as soon as that is certain, ClientDisconnect when the sender has gone."""
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > MAX_BODY_BYTES:
            raise _too_large()
        pieces: list[bytes] = []
        size = held = 0
        try:
            async with asyncio.timeout(self._within_s):
                async for piece in request.stream():
                    size += len(piece)
                    if size > MAX_BODY_BYTES:
                        raise _too_large()
                    more = max(0, size - SMALL_BYTES) - held
                    if more > self._room:
                        raise _crowded()
                    self._room -= more
                    held += more
                    pieces.append(piece)
        except TimeoutError:
            why = f"the body did not come within {self._within_s:g} s"
            raise BodyRefused(problem(408, why)) from None
        finally:
            self._room += held
        return b"".join(pieces)


def _too_large() -> BodyRefused:
    return BodyRefused(
        problem(413, f"the body is larger than {MAX_BODY_BYTES} bytes, the most that a webhook may have")
    )


def _crowded() -> BodyRefused:
    why = "too many large bodies are being read at once: send this one again later"
    return BodyRefused(problem(503, why, headers={"Retry-After": "5"}))
