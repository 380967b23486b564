"""`tailrace run`, `runs`, `abort`, `rerun`, `retry`."""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from tailrace.cli import interrupt
from tailrace.cli.client import CallFailed, Client, connect, show, tell
from tailrace.cli.flags import NO_CLIENT_FLAGS, ClientFlags, Limit
from tailrace.cli.log_targets import find_run, find_target
from tailrace.cli.plans import find_plan
from tailrace.cli.projects import find_project


def run(
    plan: str,
    *,
    revision: str | None = None,
    var: Annotated[tuple[str, ...], Parameter(name=["--var"])] = (),
    param: Annotated[tuple[str, ...], Parameter(name=["--param", "-p"])] = (),
    secret_param: Annotated[tuple[str, ...], Parameter(name=["--secret-param"])] = (),
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], negative="")] = False,
    json: bool = False,
    flags: ClientFlags = NO_CLIENT_FLAGS,
) -> int:
    """Start a run and print its id, or follow it to its end.

    With --follow the jobs' output is shown as it comes, and the exit status is that of the job that failed: 0 when all
    passed, 130 when the run was aborted.

    Parameters
    ----------
    plan:
        PROJECT/PLAN, PLAN where only one has that name, or an id.
    revision:
        A commit, branch or tag; the default branch when left out.
    var:
        NAME=VALUE, may be given more than once.
    param:
        NAME=VALUE of a parameter of the plan, may be given more than once.
    secret_param:
        The name of a parameter whose value is taken from this command's environment; may be given more than once.
    follow:
        Show the output live.
    """
    _one_output(follow=follow, json=json)
    client = connect(flags)
    body: dict[str, object] = {
        "plan": find_plan(client, plan)["id"],
        "variables": dict(_pair("--var", one) for one in var),
    }
    parameters = {
        **dict(_pair("--param", one) for one in param),
        **dict(map(_from_environment, secret_param)),
    }
    if parameters:
        body["parameters"] = parameters
    if revision is not None:
        body["revision"] = revision
    return _begun(client, client.post("/api/runs", body), follow=follow, json=json)


def runs(
    *,
    state: str | None = None,
    project: str | None = None,
    plan: str | None = None,
    branch: str | None = None,
    trigger: int | None = None,
    limit: Limit = 20,
    json: bool = False,
    flags: ClientFlags = NO_CLIENT_FLAGS,
) -> int:
    """List the newest runs.

    Parameters
    ----------
    state:
        Only those that are planning, pending, running, passed, failed, aborted or skipped.
    project:
        Only those of this project, by name or id.
    plan:
        Only those of this plan: PROJECT/PLAN, or an id.
    branch:
        Only those whose branch has this name, also of pull requests.
    trigger:
        Only those that this trigger started, by id.
    limit:
        How many at most.
    """
    client = connect(flags)
    found = client.items(
        "/api/runs",
        limit,
        state=state,
        project=find_project(client, project)["id"] if project else None,
        plan=find_plan(client, plan)["id"] if plan else None,
        branch=branch,
        trigger=trigger,
    )
    columns = {
        "ID": "id",
        "STATE": "state",
        "PROJECT": "project_name",
        "PLAN": "plan_name",
        "BRANCH": "branch",
        "TITLE": "title",
        "WHY": "detail",
    }
    show(found, as_json=json, columns=columns)
    return 0


def abort(
    run: str | None = None,
    *,
    project: str | None = None,
    branch: str | None = None,
    json: bool = False,
    flags: ClientFlags = NO_CLIENT_FLAGS,
) -> int:
    """Abort a run; once more: the steps of `finally` end too. Or all runs of a branch, and print their ids.

    Parameters
    ----------
    run:
        An id, or PROJECT#NUMBER.
    project:
        With --branch, instead of a run: its name or id.
    branch:
        All of its runs that have not ended; a pull request or tag is named by its ref: refs/pull/7/head.
    """
    client = connect(flags)
    if run is not None and project is None and branch is None:
        id = find_run(client, run)
        client.post(f"/api/runs/{id}/abort")
        tell({"runs": [id]}, as_json=json)
        return 0
    if run is not None or project is None or branch is None:
        raise CallFailed("name a run, or --project and --branch")
    wish = {"project": find_project(client, project)["id"], "branch": branch}
    done = client.post("/api/runs/abort", wish)
    tell(done, as_json=json, plain="\n".join(map(str, done["runs"])) or None)
    return 0


def rerun(
    run: str,
    *,
    failed: bool = False,
    plan: Literal["same", "newest"] = "same",
    revision: Literal["same", "newest"] = "same",
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], negative="")] = False,
    json: bool = False,
    flags: ClientFlags = NO_CLIENT_FLAGS,
) -> int:
    """Run the same once more, in a new run, and print its id; or only what failed, in this one.

    Parameters
    ----------
    run:
        An id, or PROJECT#NUMBER.
    failed:
        Another attempt at each job that failed or was aborted, in the same run, and at those that need it; what else passed is not
        done again.
    plan:
        Whether a plan that is kept in the server is as it was for the run, or as it is now.
    revision:
        The same commit, or the newest of the run's branch, tag or pull request.
    follow:
        Show the output live; the exit status is as with `tailrace run --follow`.
    """
    if failed and follow:
        raise CallFailed(f"--follow begins with the first attempts: follow with `tailrace logs {run} -f`")
    _one_output(follow=follow, json=json)
    client = connect(flags)
    wish = {"jobs": "failed" if failed else "all", "plan": plan, "revision": revision}
    begun = client.post(f"/api/runs/{find_run(client, run)}/rerun", wish)
    return _begun(client, begun, follow=follow, json=json)


def retry(job: str, *, json: bool = False, flags: ClientFlags = NO_CLIENT_FLAGS) -> int:
    """Try a job again that failed or was aborted, in its run, and with it those that need it; print the job's id.

    Parameters
    ----------
    job:
        RUN/JOB, where RUN is an id or PROJECT#NUMBER; or job/ID.
    """
    client = connect(flags)
    target = find_target(client, job)
    if target.run is None or target.job is None:
        raise CallFailed(
            f"{job!r} names no job: expected RUN/JOB or job/ID; `tailrace rerun --failed` takes a run"
        )
    (found,) = target.jobs(client.get(f"/api/runs/{target.run}"))
    tried = client.post(f"/api/jobs/{found['id']}/retry")
    tell(tried, as_json=json, plain=tried["id"])
    return 0


def _one_output(*, follow: bool, json: bool) -> None:
    if follow and json:
        raise CallFailed(
            "--follow shows the jobs' output, and --json the run: give one of them; `tailrace logs RUN -f --json` has both"
        )


def _begun(client: Client, run: dict[str, Any], *, follow: bool, json: bool) -> int:
    if not follow:
        tell(run, as_json=json, plain=run["id"])
        return 0
    from tailrace.cli.follow import follow_run

    return interrupt.run(follow_run(client, run["id"]))


def _pair(flag: str, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise CallFailed(f"{flag} {text!r}: expected NAME=VALUE")
    return name, value


def _from_environment(name: str) -> tuple[str, str]:
    value = os.environ.get(name)
    if value is None:
        raise CallFailed(f"--secret-param {name}: the environment has no variable of that name")
    return name, value
