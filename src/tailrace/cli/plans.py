"""`tailrace plan …`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tailrace.cli.client import CallFailed, Client, connect, is_id, show, tell
from tailrace.cli.flags import NO_CLIENT_FLAGS, ClientFlags
from tailrace.cli.projects import find_project
from tailrace.cli.texts import print_json, say


def add_plan(
    project: str,
    name: str,
    file: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    *,
    path: str | None = None,
    json: bool = False,
    flags: ClientFlags = NO_CLIENT_FLAGS,
) -> int:
    """Add a plan: kept in the server (FILE) or in the repository (--path).

    Parameters
    ----------
    file:
        The plan file whose text the server keeps; `-` reads standard input.
    path:
        Where the plan lives in the repository, such as .tailrace.yml.
    """
    client = connect(flags)
    body: dict[str, object] = {"project": find_project(client, project)["id"], "name": name}
    body |= {"path": path} if file is None else read_definition(file)
    made = client.post("/api/plans", body)
    tell(made, as_json=json, plain=made["id"])
    return 0


def list_plans(*, removed: bool = False, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS) -> int:
    """List the plans.

    Parameters
    ----------
    removed:
        Those that were removed, which can be restored.
    """
    found = connect(flags).items("/api/plans", removed=removed)
    columns = {"ID": "id", "PROJECT": "project_name", "NAME": "name", "VERSION": "version", "PATH": "path"}
    show(found, as_json=json, columns=columns)
    return 0


def check_plan(
    file: Annotated[str, Parameter(allow_leading_hyphen=True)] = ".tailrace.yml",
    *,
    agents: bool = False,
    json: bool = False,
    flags: ClientFlags = NO_CLIENT_FLAGS,
) -> int:
    """Check a plan file: every fault with its line and column; exit status 1 when there is any.

    Parameters
    ----------
    file:
        The plan file; `-` reads standard input.
    agents:
        Ask the server too, and warn of jobs that none of its agents could execute.
    json:
        Print one object: `file`, `ok`, `jobs`, and `errors` and `warnings`, each with `line`, `column` and `message`.
    """
    from tailrace.domain.plan import check

    checked = check.check_plan(_read(file), file)
    warnings = checked.warnings
    if agents:
        found = connect(flags).items("/api/agents")
        warnings += check.warnings_of_labels(checked, file, [one["labels"] for one in found])
    jobs = list(checked.plan.jobs) if checked.plan else []
    if json:
        said: dict[str, object] = {"file": file, "ok": not checked.errors, "jobs": jobs}
        for key, places in (("errors", checked.errors), ("warnings", warnings)):
            said[key] = [{"line": at.line, "column": at.column, "message": at.message} for at in places]
        print_json(said)
        return 1 if checked.errors else 0
    for error in checked.errors:
        say(str(error), to=sys.stderr)
    for warning in warnings:
        place = f"{warning.file}:{warning.line}:{warning.column}"
        say(f"{place}: warning: {warning.message}", to=sys.stderr)
    if checked.errors:
        return 1
    print(f"{file}: {len(jobs)} jobs, no fault")
    return 0


def show_schema() -> int:
    """Print the JSON Schema of plan files, for editors."""
    from tailrace.domain.plan.schema import plan_schema

    print_json(plan_schema())
    return 0


def find_plan(client: Client, name: str) -> dict[str, object]:
    """The plan called PROJECT/PLAN, or PLAN where only one has that name, or by id; raises CallFailed."""
    project, slash, plan = name.partition("/")
    fits = client.items("/api/plans", name=plan if slash else name)
    if slash:
        fits = [one for one in fits if one["project_name"] == project]
    elif is_id(name):
        found = client.find(f"/api/plans/{name}")
        fits = [found] if found is not None else fits
    if not fits and not slash:
        fits = [
            one
            for whose in client.items("/api/projects", name=name)
            for one in client.items("/api/plans", project=whose["id"])
        ]
    if len(fits) == 1:
        return fits[0]
    if fits:
        choices = ", ".join(f"{plan['project_name']}/{plan['name']}" for plan in fits)
        raise CallFailed(f"{name!r} could be {choices}: say which")
    raise CallFailed(f"there is no plan {name!r}: `tailrace plan list` shows them")


def read_definition(file: str) -> dict[str, object]:
    """The text of a plan file, `-` for standard input, as a request has it; raises CallFailed."""
    return {"definition": _read(file).decode(errors="replace"), "file": file[-500:]}


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise CallFailed(f"{file}: {error.strerror}") from None
