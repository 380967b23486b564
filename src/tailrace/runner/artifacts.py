"""Steps that move artifacts: from the workspace to the server, and from the server into another job's workspace."""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar
from urllib.parse import quote

from pydantic import ValidationError

from tailrace.domain.artifacts import (
    MAX_FILES,
    Announcement,
    FileSpec,
    Kept,
    Offered,
    Offering,
    Taken,
    fault_of_path,
)
from tailrace.domain.outcome import Reason
from tailrace.domain.plan import ArtifactsStep, FetchStep
from tailrace.domain.sizes import size_words
from tailrace.domain.wire import faults_of
from tailrace.inside import NotPlain, blocks, entries, reading, writing
from tailrace.runner.calls import TOGETHER, CallCut, CallRefused, Calls
from tailrace.runner.failure import StepFailed, failed, overdue
from tailrace.runner.handover import Access
from tailrace.runner.output import FULL
from tailrace.runner.shelf import Shelf, Shelved
from tailrace.runner.stop import Stop
from tailrace.steps.artifacts import Selection

BLOCK_BYTES = 256 * 1024
TRIES = 3
"""How often bytes are moved that arrive damaged, before the step fails."""
_SHOWN = 5
_REFUSALS = {413: Reason.ARTIFACTS_TOO_LARGE, 500: Reason.ARTIFACTS_DAMAGED}
Say = Callable[[str], None]
T = TypeVar("T")
F = TypeVar("F", Offered, Shelved)
S = TypeVar("S")


class ArtifactsPlace(NamedTuple):
    """Whose artifacts: the attempt's, from or into its workspace.

    `access` is None where there is no server; `shelves` is then where the run keeps its jobs' artifacts, None where it cannot.
    """

    workspace: Path
    attempt: int
    access: Access | None
    job: str = ""
    shelves: Path | None = None


async def move_artifacts(
    step: ArtifactsStep | FetchStep, place: ArtifactsPlace, stop: Stop, say: Say
) -> bool:
    """Do the step; False when it was stopped early. Raises StepFailed."""
    work = _keep(step, place, say) if isinstance(step, ArtifactsStep) else _fetch(step, place, say)
    task = asyncio.create_task(work)
    await asyncio.wait((task, stop.asked), timeout=step.timeout_s, return_when=asyncio.FIRST_COMPLETED)
    if not task.done():
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if stop.asked.done() or step.timeout_s is None:
            return False
        raise overdue(step.name, step.timeout_s)
    try:
        task.result()
    except CallRefused as error:
        reason = _REFUSALS.get(error.status, Reason.ARTIFACTS_REFUSED)
        raise failed(reason, f"step '{step.name}': the server refused: {error}") from error
    except ValidationError as error:
        detail = f"step '{step.name}': the server's answer is not understood: {faults_of(error)}"
        raise failed(Reason.ARTIFACTS_REFUSED, detail) from error
    return True


# Keeping


async def _keep(step: ArtifactsStep, place: ArtifactsPlace, say: Say) -> None:
    selection = Selection(step.paths)
    paths = await _find(place.workspace, selection, say)
    for pattern in selection.unused if paths else ():
        say(f"no file matches {pattern}")
    if not paths:
        words = f"no file matches {', '.join(step.paths)}"
        if not step.optional:
            raise failed(Reason.ARTIFACTS_MISSING, f"step '{step.name}': {words}")
        say(f"{words}: nothing to keep")
        return
    try:
        files = [await _describe(place.workspace, path) for path in paths]
    except OSError as error:
        raise failed(Reason.ARTIFACTS_UNREADABLE, f"step '{step.name}': {_told(error)}") from error
    total = sum(file.size for file in files)
    words = f"{_count(len(files), 'file')}, {size_words(total)}"
    if place.access is None:
        await _shelve(place, files, step.name)
        say(f"kept {words}, for this run alone")
        return
    announcement = Announcement(files=tuple(files), keep_s=step.keep_s).model_dump_json().encode()
    async with Calls(place.access, place.attempt, say) as calls:
        answer = await calls.call(
            "POST", body=lambda: announcement, headers={"Content-Type": "application/json"}
        )
        known = {file.path: file for file in files}
        wanted = [kept for kept in Taken.model_validate_json(answer).files if kept.wanted]
        await _all(wanted, lambda kept: _send(calls, place.workspace, known[kept.path], kept, step.name))
    say(f"kept {words}")


async def _shelve(place: ArtifactsPlace, files: Sequence[FileSpec], step: str) -> None:
    if place.shelves is None:
        raise failed(Reason.SETUP_FAILED, f"step '{step}': there is no server to keep the artifacts")
    shelf = Shelf(place.shelves, place.job)
    for file in files:
        try:
            if await shelf.keep(place.workspace, file):
                continue
            detail = f"step '{step}': {file.path} changed while it was being kept"
        except OSError as error:
            if error.errno in FULL:
                raise failed(Reason.OUT_OF_DISK, f"step '{step}': {_told(error)}") from error
            detail = f"step '{step}': {_told(error)}"
        raise failed(Reason.ARTIFACTS_UNREADABLE, detail)


async def _find(workspace: Path, selection: Selection, say: Say) -> list[str]:
    """The files that are meant, sorted; what is none is told of. Raises StepFailed."""
    found: list[str] = []
    left_out: list[str] = []
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            inside = entries(workspace, folder)
        except OSError as error:
            left_out.append(_told(error))
            continue
        await asyncio.sleep(0)  # an abort is heard between folders
        for entry in inside:
            if entry.kind == "folder":
                if selection.may_hold(entry.path):
                    folders.append(entry.path)
            elif selection.takes(entry.path):
                if entry.kind == "file":
                    found.append(entry.path)
                else:
                    what = "a link, which is not followed" if entry.kind == "link" else "not a plain file"
                    left_out.append(f"{entry.path!a} is {what}")
        if len(found) > MAX_FILES:
            raise failed(
                Reason.ARTIFACTS_TOO_LARGE,
                f"more than {MAX_FILES:,} files are meant; a job may keep so many: name fewer, or pack them into one",
            )
    for words in left_out[:_SHOWN]:
        say(f"left out: {words}")
    if len(left_out) > _SHOWN:
        say(f"left out: {len(left_out) - _SHOWN} more")
    return sorted(found)


async def _describe(workspace: Path, path: str) -> FileSpec:
    """Raises StepFailed for a name that cannot be kept, OSError for a file that cannot be read."""
    fault = fault_of_path(path)
    if fault is not None:
        raise failed(Reason.ARTIFACTS_UNREADABLE, f"the file {path!a} cannot be kept: its name {fault}")
    digest, size = hashlib.sha256(), 0
    with reading(workspace, path) as file:
        executable = bool(os.fstat(file).st_mode & stat.S_IXUSR)
        for block in blocks(file, BLOCK_BYTES):
            digest.update(block)
            size += len(block)
            await asyncio.sleep(0)
    return FileSpec(path=path, size=size, sha256=digest.hexdigest(), executable=executable)


async def _send(calls: Calls, workspace: Path, file: FileSpec, kept: Kept, step: str) -> None:
    """Send one file's bytes. Raises StepFailed when they are not what was announced any more."""
    digest = hashlib.sha256()

    async def body() -> AsyncGenerator[bytes]:
        nonlocal digest
        digest, left = hashlib.sha256(), file.size
        with reading(workspace, file.path) as opened:
            for block in blocks(opened, BLOCK_BYTES):
                part = block[:left]
                digest.update(part)
                left -= len(part)
                yield part
                if not left:
                    break
        if left:
            raise NotPlain(0, "has become shorter", file.path)

    headers = {"Content-Length": str(file.size), "Content-Type": "application/octet-stream"}
    for number in range(1, TRIES + 1):
        try:
            await calls.call("PUT", f"/{kept.id}", body=body if file.size else bytes, headers=headers)
            return
        except CallRefused as error:
            if error.status != 422:
                raise
            trouble, damaged = str(error), file.size > 0 and digest.hexdigest() == file.sha256
        except OSError as error:
            trouble, damaged = _told(error), False
        if not damaged:
            detail = f"step '{step}': {file.path} changed while it was being kept: {trouble}"
            raise failed(Reason.ARTIFACTS_UNREADABLE, detail)
        if number == TRIES:
            raise failed(Reason.ARTIFACTS_DAMAGED, f"step '{step}': {file.path}: {trouble}")


# Fetching


async def _fetch(step: FetchStep, place: ArtifactsPlace, say: Say) -> None:
    if place.access is None:
        await _take_from_shelf(step, place, say)
        return
    async with Calls(place.access, place.attempt, say) as calls:
        files = _wanted(step, await _offered(step, calls), place.workspace, say)
        await _all(files, lambda one: _receive(calls, place.workspace, step.name, one))
    _say_fetched(step, files, say)


async def _take_from_shelf(step: FetchStep, place: ArtifactsPlace, say: Say) -> None:
    if place.shelves is None:
        raise failed(
            Reason.SETUP_FAILED,
            f"step '{step.name}': there is no server from which to fetch the artifacts of {step.job}",
        )
    offered = [
        _Wanted(file, _folder(step, job) + file.path, Shelf(place.shelves, job))
        for job in step.jobs or (step.job,)
        for file in Shelf(place.shelves, job).files()
    ]
    files = _wanted(step, offered, place.workspace, say)
    for file, path, shelf in files:
        try:
            await shelf.bring(file.path, place.workspace, path)
        except OSError as error:
            raise _unwritten(step.name, path, error) from error
    _say_fetched(step, files, say)


class _Wanted(NamedTuple, Generic[F, S]):
    """A file that a job kept, the path in the workspace to which it comes, and where it is."""

    file: F
    path: str
    source: S


async def _offered(step: FetchStep, calls: Calls) -> list[_Wanted[Offered, None]]:
    """What the job kept; of a matrix what each of its jobs did."""
    offered: list[_Wanted[Offered, None]] = []
    for job in step.jobs or (step.job,):
        answer = await calls.call("GET", f"/of/{quote(job, safe='')}")
        files = Offering.model_validate_json(answer).files
        offered += [_Wanted(file, _folder(step, job) + file.path, None) for file in files]
    return offered


def _folder(step: FetchStep, job: str) -> str:
    """Where the job's files come, with a slash; those of a matrix's jobs come into a folder of the job's name."""
    parts = (step.to, job if step.jobs else "")
    return "".join(f"{part}/" for part in parts if part)


def _wanted(
    step: FetchStep, offered: Sequence[_Wanted[F, S]], workspace: Path, say: Say
) -> list[_Wanted[F, S]]:
    """Those that the step means; none where it may go without. Raises StepFailed."""
    selection = Selection(step.paths) if step.paths else None
    files = [one for one in offered if selection is None or selection.takes(one.file.path)]
    for pattern in selection.unused if selection and files else ():
        say(f"no artifact of job {step.job} matches {pattern}")
    if files:
        _check_room(workspace, sum(one.file.size for one in files), step.name)
        return files
    which = f" that matches {', '.join(step.paths)}" if step.paths and offered else ""
    words = f"job {step.job} has no artifact{which}"
    if not step.optional:
        raise failed(Reason.ARTIFACTS_MISSING, f"step '{step.name}': {words}")
    say(f"{words}: nothing to fetch")
    return []


def _say_fetched(step: FetchStep, files: Sequence[_Wanted[F, S]], say: Say) -> None:
    if files:
        total = sum(one.file.size for one in files)
        jobs = f"{_count(len(step.jobs), 'job')} of matrix {step.job}" if step.jobs else f"job {step.job}"
        say(f"fetched {_count(len(files), 'file')}, {size_words(total)}, from {jobs}")


def _unwritten(step: str, path: str, error: OSError) -> StepFailed:
    reason = Reason.OUT_OF_DISK if error.errno in FULL else Reason.ARTIFACTS_UNREADABLE
    return failed(reason, f"step '{step}': {path} cannot be written: {_told(error)}")


def _check_room(workspace: Path, total: int, step: str) -> None:
    disk = os.statvfs(workspace)
    free = disk.f_bavail * disk.f_frsize
    if total > free:
        raise failed(
            Reason.OUT_OF_DISK,
            f"step '{step}': the artifacts are {total:,} bytes; the disk has {free:,} free",
        )


async def _receive(calls: Calls, workspace: Path, step: str, wanted: _Wanted[Offered, None]) -> None:
    file, path, _ = wanted
    trouble = ""
    for _ in range(TRIES):
        try:
            with writing(workspace, path) as opened:
                arriving = _Arriving(opened, file)
                await calls.blocks(f"/{file.id}", arriving.take)
                arriving.check()
                if file.executable:
                    os.fchmod(opened, os.fstat(opened).st_mode | 0o111)
            return
        except CallCut as error:
            trouble = str(error)
        except OSError as error:
            raise _unwritten(step, path, error) from error
    raise failed(Reason.ARTIFACTS_DAMAGED, f"step '{step}': {path}: {trouble}")


class _Arriving:
    """Bytes of an artifact on their way into a file, never more than it has."""

    def __init__(self, file: int, wanted: Offered) -> None:
        self._file = file
        self._wanted = wanted
        self._digest = hashlib.sha256()
        self._size = 0

    def take(self, block: bytes) -> None:
        """Raises CallCut when it is too much, OSError when it cannot be written."""
        self._size += len(block)
        if self._size > self._wanted.size:
            raise CallCut(f"more than the {self._wanted.size:,} bytes came that it has")
        self._digest.update(block)
        view = memoryview(block)
        while view:
            view = view[os.write(self._file, view) :]

    def check(self) -> None:
        """Raises CallCut when what came is not what was kept."""
        if self._size != self._wanted.size or self._digest.hexdigest() != self._wanted.sha256:
            raise CallCut(f"{self._size:,} bytes came, which are not those that were kept")


async def _all(items: Sequence[T], do: Callable[[T], Awaitable[None]]) -> None:
    """Do it for each, some at once; the first error ends all."""
    left = iter(items)

    async def work() -> None:
        for item in left:
            await do(item)

    tasks = [asyncio.create_task(work()) for _ in range(min(TOGETHER, len(items)))]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _told(error: OSError) -> str:
    where = f"{error.filename!a}: " if error.filename else ""
    return f"{where}{error.strerror or error}"


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
