"""The errors that Tailrace raises on purpose.

TailraceError
├── NotFound            nothing of that kind has that id or name
├── Conflict            the request contradicts what is stored (a name that is taken)
├── Invalid             the input is wrong; says where and what is allowed
├── Unauthorised        no token, session or signature that we know
├── Forbidden           we know who asks, and they may not
├── Crowded             as many as there may be are here already; later there is room
├── MoveRefused         a state machine does not allow this move from this state
├── LeaseLost           an agent speaks for an attempt that it no longer holds
├── OffsetMismatch      log bytes that do not begin at the log's end
├── NoRoom              the database's disk is full: nothing was changed
├── LogMismatch         a log whose size or checksum differs from what its writer declared
├── LogRemoved          a log that retention took (a NotFound)
├── ArtifactRemoved     an artifact that retention or a person took (a NotFound)
├── TooLarge            more bytes or files than may be kept (an Invalid)
├── ArtifactDamaged     an artifact whose bytes are missing, or are not what was kept
├── ArchiveAway         the archive cannot be reached, written or read
├── SegmentDamaged      an object of the archive is missing or is not what was put there
├── SourceUnreachable   a repository that does not answer, or refuses us
└── RevisionNotFound    a repository that answers, but has no such revision
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import ClassVar


class TailraceError(Exception):
    """The root; its text is a sentence for people. `located`: its lines begin with places in files, as FILE:LINE:COLUMN."""

    located: ClassVar[bool] = False


class NotFound(TailraceError):
    """Nothing of that kind has that id or name."""

    def __init__(self, kind: str, key: object) -> None:
        super().__init__(f"there is no {kind} {key}")
        self.kind = kind
        self.key = key


class Conflict(TailraceError):
    """The request contradicts what is stored."""


class Invalid(TailraceError):
    """The input is wrong; `errors` says of each part of it that is, where there are any: its `place` and a `message`."""

    def __init__(self, message: str, errors: tuple[dict[str, object], ...] = ()) -> None:
        super().__init__(message)
        self.errors = errors


class Unauthorised(TailraceError):
    """No token, session or signature that we know."""


class Forbidden(TailraceError):
    """We know who asks, and they may not."""


class Crowded(TailraceError):
    """As many as there may be are here already; `after_s` is when to come back, in seconds."""

    def __init__(self, message: str, after_s: int) -> None:
        super().__init__(message)
        self.after_s = after_s


class MoveRefused(TailraceError):
    """A state machine does not allow this move from this state."""

    def __init__(self, subject: str, state: str, verb: str) -> None:
        super().__init__(f"{subject} is {state}: it cannot {verb}")
        self.subject = subject
        self.state = state
        self.verb = verb


class LeaseLost(TailraceError):
    """An agent speaks for an attempt that it no longer holds: what it sends is refused."""

    def __init__(self, attempt: int, why: str) -> None:
        super().__init__(f"attempt {attempt}: {why}")
        self.attempt = attempt
        self.why = why


class OffsetMismatch(TailraceError):
    """Log bytes that do not begin at the log's end; `end` (bytes) is where the next ones must begin."""

    def __init__(self, log: int, offset: int, end: int) -> None:
        super().__init__(f"log {log} ends at {end}: bytes at {offset} do not continue it")
        self.log = log
        self.offset = offset
        self.end = end


class NoRoom(TailraceError):
    """The database's disk is full: what was to be stored was not, and may be tried again."""

    def __init__(self) -> None:
        super().__init__("the server's disk is full: nothing can be stored; make room there and try again")


class LogMismatch(TailraceError):
    """A log whose size or CRC-32 differs from what its writer declared."""

    def __init__(self, log: int, declared: tuple[int, int], held: tuple[int, int]) -> None:
        super().__init__(
            f"log {log}: its writer declared {declared[0]} bytes with CRC-32 {declared[1]:08x},"
            f" but {held[0]} bytes with CRC-32 {held[1]:08x} are held"
        )
        self.log = log
        self.declared = declared
        self.held = held


class LogRemoved(NotFound):
    """A log that retention took; `at` in ms since the epoch, `why` the rule that took it."""

    def __init__(self, log: int, at: int, why: str) -> None:
        super().__init__("log", log)
        day = datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d")
        self.args = (f"log {log} was removed by retention on {day}: {why}",)
        self.at = at
        self.why = why


class ArtifactRemoved(NotFound):
    """An artifact that was removed; `at` in ms since the epoch, `why` the rule or the person that took it."""

    def __init__(self, id: int, path: str, at: int, why: str) -> None:
        super().__init__("artifact", id)
        day = datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d")
        self.args = (f"artifact {id} ({path}) was removed on {day}: {why}",)
        self.at = at
        self.why = why


class TooLarge(Invalid):
    """More bytes or files than may be kept."""


class ArtifactDamaged(TailraceError, OSError):
    """An artifact whose bytes in the archive are missing, or are not what was kept."""

    def __init__(self, id: int, path: str, key: str, cause: str) -> None:
        super().__init__(f"artifact {id} ({path}; {key} in the archive): {cause}")
        self.id = id


class ArchiveAway(TailraceError, OSError):
    """The archive cannot be reached, written or read; it may come back."""

    def __init__(self, url: str, cause: str) -> None:
        super().__init__(f"the archive {url} is away: {cause}")
        self.url = url
        self.cause = cause


class SegmentDamaged(TailraceError, OSError):
    """An object of the archive is missing, or is not what was put there."""

    def __init__(self, log: int, number: int, key: str, cause: str) -> None:
        super().__init__(f"log {log}, segment {number} ({key} in the archive): {cause}")
        self.log = log
        self.number = number
        self.key = key


class SourceUnreachable(TailraceError):
    """A repository that does not answer, or refuses us; `cause` is what it said, `opener` which secret it was shown."""

    def __init__(self, repository: str, cause: str, opener: str | None = None) -> None:
        shown = "" if opener is None else f" ({opener} was shown to it)"
        super().__init__(f"repository {repository} cannot be read: {cause}{shown}")
        self.repository = repository
        self.cause = cause


class RevisionNotFound(TailraceError):
    """A repository that answers, but has no such revision, branch or tag."""

    def __init__(self, repository: str, revision: str, why: str = "") -> None:
        because = f": {why}" if why else ""
        super().__init__(f"repository {repository} has no revision, branch or tag {revision!r}{because}")
        self.repository = repository
        self.revision = revision
