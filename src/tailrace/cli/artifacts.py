"""`tailrace artifacts …`."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import Any

from tailrace.cli.client import CallFailed, Client, connect, show, tell
from tailrace.cli.flags import NO_CLIENT_FLAGS, ClientFlags
from tailrace.cli.log_targets import find_target
from tailrace.cli.texts import say
from tailrace.inside import NotPlain, writing


def list_artifacts(what: str, /, *, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS) -> int:
    """List the files that a run's jobs kept.

    Parameters
    ----------
    what:
        RUN or RUN/JOB; RUN is an id or PROJECT#NUMBER.
    json:
        Print them as JSON.
    """
    found = _found(connect(flags), what)
    columns = {
        "ID": "id",
        "JOB": "job_name",
        "ATTEMPT": "attempt",
        "PATH": "path",
        "BYTES": "size",
        "SHA256": "sha256",
        "UNTIL": "keep_until",
    }
    show(found, as_json=json, columns=columns)
    return 0


def get_artifacts(
    what: str,
    /,
    *patterns: str,
    to: Path = Path(),
    zip: Path | None = None,
    json: bool = False,
    flags: ClientFlags = NO_CLIENT_FLAGS,
) -> int:
    """Download the files that a run's jobs kept, each under its path and checked; those of each job's newest attempt.

    Of several jobs, each has a folder with its name.

    Parameters
    ----------
    what:
        RUN or RUN/JOB; RUN is an id or PROJECT#NUMBER.
    patterns:
        Only files whose paths match one of these, as in a plan: dist/*.whl, reports/**. All, if none is given.
    to:
        The folder to put them into; the current one if not given. Nothing is written outside it.
    zip:
        Write one zip instead; `-` is standard output.
    json:
        Print what was written as JSON: the artifacts as `tailrace artifacts list` has them, each with its `file`.
    """
    from tailrace.steps.artifacts import Selection

    client = connect(flags)
    if zip is not None:
        if patterns:
            raise CallFailed("--zip has all files: leave the patterns out, or leave --zip out")
        if json and str(zip) == "-":
            raise CallFailed("--zip - writes the zip to standard output: leave --json out, or name a file")
        _get_zip(client, what, zip)
        if str(zip) != "-":
            tell([{"file": str(zip)}], as_json=json, plain=zip)
        return 0
    found = _newest(_found(client, what))
    selection = Selection(patterns) if patterns else None
    files = [one for one in found if selection is None or selection.takes(one["path"])]
    if not files:
        raise CallFailed(f"{what} has no artifact{' that matches' if found else ''}")
    several = len({one["job"] for one in found}) > 1
    to.mkdir(parents=True, exist_ok=True)
    written: list[dict[str, Any]] = []
    for one in files:
        path = f"{one['job_name']}/{one['path']}" if several else one["path"]
        _get(client, one, to, path)
        written.append({**one, "file": str(to / path)})
        if not json:
            say(str(to / path))
    if json:
        tell(written, as_json=True)
    return 0


def _found(client: Client, what: str) -> list[dict[str, Any]]:
    target = find_target(client, what)
    if target.run is None or target.attempt is not None:
        raise CallFailed(
            f"{what!r} is not understood: give RUN or RUN/JOB, where RUN is an id or PROJECT#NUMBER"
        )
    target.jobs(client.get(f"/api/runs/{target.run}"))  # fails for a job that is not there
    return client.items(f"/api/runs/{target.run}/artifacts", job=target.job)


def _newest(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    last: dict[int, int] = {}
    for one in found:
        last[one["job"]] = max(last.get(one["job"], 0), one["attempt"])
    return [one for one in found if one["attempt"] == last[one["job"]]]


def _get(client: Client, one: dict[str, Any], folder: Path, path: str) -> None:
    from tailrace.domain.artifacts import fault_of_path

    fault = fault_of_path(path)
    if fault is not None:
        raise CallFailed(f"artifact {one['id']} cannot be written: its path {path!r} {fault}")
    digest = hashlib.sha256()
    try:
        with writing(folder, path) as file:
            with open(file, "wb", closefd=False) as out:
                for block in client.blocks(f"/api/artifacts/{one['id']}"):
                    digest.update(block)
                    out.write(block)
            if digest.hexdigest() != one["sha256"]:
                raise CallFailed(
                    f"artifact {one['id']} ({path}) arrived damaged: its SHA-256 differs; try again"
                )
            if one["executable"]:
                os.fchmod(file, os.fstat(file).st_mode | 0o111)
    except NotPlain as error:
        raise CallFailed(f"{folder / path}: {error.filename} {error.strerror}") from None
    except OSError as error:
        raise CallFailed(f"{folder / path} cannot be written: {error.strerror or error}") from None


def _get_zip(client: Client, what: str, zip: Path) -> None:
    target = find_target(client, what)
    if target.run is None or target.attempt is not None:
        raise CallFailed(
            f"{what!r} is not understood: give RUN or RUN/JOB, where RUN is an id or PROJECT#NUMBER"
        )
    blocks = client.blocks(f"/api/runs/{target.run}/artifacts.zip", job=target.job)
    if str(zip) == "-":
        for block in blocks:
            sys.stdout.buffer.write(block)
        return
    try:
        with writing(zip.parent, zip.name) as file, open(file, "wb", closefd=False) as out:
            for block in blocks:
                out.write(block)
    except OSError as error:
        raise CallFailed(f"{zip} cannot be written: {error.strerror or error}") from None
