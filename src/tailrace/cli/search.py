"""`tailrace search`."""

from __future__ import annotations

import json as json_module
import re
import sys
import time
from collections.abc import Callable, Iterator
from typing import Annotated, Any

from cyclopts import Parameter

from tailrace.cli.client import CallFailed, connect
from tailrace.cli.flags import NO_CLIENT_FLAGS, ClientFlags, Limit
from tailrace.cli.plans import find_plan
from tailrace.cli.projects import find_project
from tailrace.cli.texts import say

FOUND, NOT_FOUND, TROUBLE = 0, 1, 2

# A terminal obeys control characters: what a log holds of them is not shown.
_CONTROL = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?|[\x00-\x08\x0a-\x1f\x7f-\x9f]"
)


def search(
    pattern: Annotated[str, Parameter(allow_leading_hyphen=True)],
    *,
    project: str | None = None,
    plan: str | None = None,
    branch: str | None = None,
    state: str | None = None,
    since: str | None = None,
    until: str | None = None,
    regex: Annotated[bool, Parameter(name=["--regex", "-E"], negative="")] = False,
    case: Annotated[bool, Parameter(negative="")] = False,
    stream: str | None = None,
    limit: Limit = 1000,
    names: Annotated[bool, Parameter(name=["--list", "-l"], negative="")] = False,
    json: bool = False,
    flags: ClientFlags = NO_CLIENT_FLAGS,
) -> int:
    """Search the logs of many runs, newest run first, and print RUN/JOB:LINE: TEXT as it is found.

    The exit status is 0 when something was found, 1 when nothing was, 2 when not everything could be searched.

    Parameters
    ----------
    pattern:
        Text, or with --regex a regular expression of RE2; both are looked for within one line.
    project:
        Only runs of this project, by name or id.
    plan:
        Only runs of this plan: PROJECT/PLAN, PLAN where only one has that name, or an id.
    branch:
        Only runs of this branch.
    state:
        Only runs in this state.
    since:
        Only runs created since then: a time such as 2026-11-21T10:00Z, or how long ago, such as 90m or 48h.
    until:
        Only runs created before then.
    case:
        Tell upper from lower case.
    stream:
        Only what these streams wrote: stdout, stderr, system; commas between.
    limit:
        At most so many lines.
    names:
        Print each RUN/JOB with a match once, and no lines.
    json:
        Print what the server says, an object a line.
    """
    client = connect(flags)
    records = client.records(
        "/api/search",
        q=pattern,
        regex=int(regex),
        case=int(case),
        project=None if project is None else find_project(client, project)["id"],
        plan=None if plan is None else find_plan(client, plan)["id"],
        branch=branch,
        state=state,
        since=_moment(since),
        until=_moment(until),
        stream=stream,
        limit=limit,
        per_log=1 if names else None,
    )
    if json:
        return _print_json(records)
    return _print(records, _names if names else _lines)


def _print_json(records: Iterator[dict[str, Any]]) -> int:
    found = trouble = ended = False
    for record in records:
        found |= "line" in record
        trouble |= "error" in record or "unreadable" in record
        ended |= "end" in record
        if "progress" not in record:
            print(json_module.dumps(record, ensure_ascii=False), flush=True)
    return _status(found, trouble or not ended)


def _print(records: Iterator[dict[str, Any]], shown: Callable[[dict[str, Any], bool], str]) -> int:
    colour = sys.stdout.isatty()
    found = trouble = False
    for record in records:
        if "line" in record:
            found = True
            print(shown(record, colour), flush=True)
        elif "unreadable" in record:
            trouble = True
            say(f"tailrace: {_source(record)}: {record['unreadable']}", to=sys.stderr)
        elif "error" in record:
            raise CallFailed(str(record["error"].get("detail")))
        elif "end" in record:
            if record["end"]["limited"]:
                hits = record["end"]["hits"]
                print(f"tailrace: stopped after {hits} lines; --limit gives more", file=sys.stderr)
            return _status(found, trouble)
    raise CallFailed("the server ended its answer before the search was done: search again")


def _status(found: bool, trouble: bool) -> int:
    return TROUBLE if trouble else FOUND if found else NOT_FOUND


def _source(record: dict[str, Any]) -> str:
    again = f"/{record['attempt']}" if record["attempt"] > 1 else ""
    return f"{record['run']['id']}/{record['job']}{again}"


def _names(record: dict[str, Any], colour: bool) -> str:
    return _paint(_source(record), "35", colour)


def _lines(record: dict[str, Any], colour: bool) -> str:
    place = f"{_paint(_source(record), '35', colour)}:{_paint(str(record['line']), '32', colour)}: "
    units = record["text"].encode("utf-16-le", "surrogatepass")
    parts: list[str] = []
    at = 0
    for start, stop in [*record["ranges"], [len(units) // 2, len(units) // 2]]:
        parts.append(_clean(units[at * 2 : start * 2]))
        if stop > start:
            parts.append(_paint(_clean(units[start * 2 : stop * 2]), "1;31", colour))
        at = stop
    return place + "".join(parts)


def _clean(units: bytes) -> str:
    return _CONTROL.sub("", units.decode("utf-16-le", "replace"))


def _paint(text: str, code: str, colour: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if colour else text


def _moment(text: str | None) -> str | None:
    """What the server understands; a duration is a time that long ago."""
    # Here, because it comes with all of the plan file's model.
    from tailrace.domain.plan.durations import parse_duration

    seconds = None if text is None or re.fullmatch("[0-9]+", text) else parse_duration(text)
    return text if seconds is None else str(int((time.time() - seconds) * 1000))
