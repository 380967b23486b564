"""Registers a checkout on this machine as a project and runs its plan: what `tailrace up --project` does."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tailrace.cli.client import CallFailed, Client

PLAN_FILE = ".tailrace.yml"


def start_first_run(client: Client, folder: Path) -> str:
    """Start the plan of the repository in `folder`; the page that shows its run. Raises CallFailed."""
    top, revision = _repository(folder)
    branch = _git(top, "rev-parse", "--abbrev-ref", "HEAD")
    plan = _plan(client, _project(client, top))
    run = client.post("/api/runs", {"plan": plan, "revision": revision if branch == "HEAD" else branch})
    return f"/runs/{run['id']}"


def _repository(folder: Path) -> tuple[Path, str]:
    try:
        return Path(_git(folder, "rev-parse", "--show-toplevel")), _git(folder, "rev-parse", "HEAD")
    except (subprocess.CalledProcessError, OSError) as error:
        raise CallFailed(
            f"{folder.absolute()} is no git repository with a commit, so no run was started ({error})"
        ) from None


def _project(client: Client, top: Path) -> int:
    for project in client.items("/api/projects"):
        if project["repository"] == str(top):
            return project["id"]
    name = re.sub(r"[^A-Za-z0-9_.-]", "-", top.name).lstrip("_.-")[:100] or "first"
    return client.post("/api/projects", {"name": name, "repository": str(top)})["id"]


def _plan(client: Client, project: int) -> int:
    for plan in client.items("/api/plans", project=project):
        if plan["path"] == PLAN_FILE:
            return plan["id"]
    return client.post("/api/plans", {"project": project, "name": "default", "path": PLAN_FILE})["id"]


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()
