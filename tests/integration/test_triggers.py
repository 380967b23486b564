"""Triggers by API and by command: made, changed, enabled and disabled, and what webhooks make of them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.integration.test_webhooks import PAYLOADS, SECRET, deliver
from tests.support.house import House


def tailrace(house: House, *arguments: str, status: int = 0) -> str:
    """What the command prints."""
    import os

    done = subprocess.run(
        [sys.executable, "-m", "tailrace", *arguments],
        env={**os.environ, **house.environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == status, done.stderr
    return done.stdout if status == 0 else done.stderr


def _push(house: House, project: int) -> dict[str, Any]:
    return deliver(house, (PAYLOADS / "push_branch.json").read_bytes(), project=project).json()


def test_a_poll_is_made_shown_changed_and_removed(home: House) -> None:
    """With who changed what, and when it is looked at next."""
    plan = home.script_plan("true")
    made = home.post(
        "/api/triggers",
        {"plan": plan, "name": "poll", "settings": {"kind": "url", "url": "https://example.org/version"}},
    )
    assert (made["kind"], made["enabled"], made["mode_by"]) == ("url", True, None)
    assert made["settings"]["interval_s"] == 300
    path = f"/api/triggers/{made['id']}"
    settings = {"kind": "url", "url": "https://example.org/version", "interval_s": 10}
    changed = home.client.patch(path, json={"settings": settings}).json()
    assert changed["settings"]["interval_s"] == 10
    off = home.post(f"{path}/disable", {"why": "it is noisy"})
    assert (off["enabled"], off["mode_by"], off["mode_why"], off["next_at"]) == (
        False,
        "admin",
        "it is noisy",
        None,
    )
    assert home.client.post(f"{path}/check").status_code == 409
    assert home.post(f"{path}/enable")["enabled"]
    assert [one["id"] for one in home.get("/api/triggers", plan=plan, kind="url")["items"]] == [made["id"]]
    assert home.client.delete(path).status_code == 204
    assert home.client.get(path).status_code == 404


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"kind": "git", "branches": []}, "with neither, nothing is looked at"),
        ({"kind": "git", "interval_s": 1}, "found 1; expected 5 or more"),
        ({"kind": "url", "url": "ftp://example.org"}, "expected an address such as"),
        ({"kind": "url", "url": "https://example.org", "look": "json"}, "`path` goes with look: json"),
        (
            {"kind": "url", "url": "https://example.org", "headers": {"a b": "c"}},
            "is not the name of a header",
        ),
        ({"kind": "subversion", "path": "../x"}, "below the project's URL"),
        ({"kind": "moon"}, "found 'moon'; allowed are webhook, git, subversion, url, cron"),
        (
            {"kind": "git", "intervall": 5},
            "body.settings.git.intervall: this is not known here; allowed are branches, interval_s, kind, mode",
        ),
        ({"kind": "cron", "expression": "0 4 * * *", "when": 1}, "when"),
    ],
)
def test_settings_that_cannot_be_are_refused_with_what_can(
    home: House, settings: dict[str, Any], words: str
) -> None:
    plan = home.script_plan("true")
    answer = home.client.post("/api/triggers", json={"plan": plan, "name": "poll", "settings": settings})
    assert answer.status_code == 422
    assert words in answer.text


def test_no_address_with_a_password_is_kept_where_all_see_it(home: House) -> None:
    """Of a poll or a channel; that of a repository is shown without it."""
    plan = home.script_plan("true")
    for login in ("ada:hunter2", "hunter2"):
        url = f"https://{login}@example.org/x"
        poll = {"plan": plan, "name": "poll", "settings": {"kind": "url", "url": url}}
        settings = {"kind": "webhook", "url": url}
        hook = {"name": "x", "settings": settings, "secrets": {"key": "whsec_" + "A" * 32}}
        project = {"name": "x", "repository": "https://***@example.org/x"}
        for path, body in (("triggers", poll), ("channels", hook), ("projects", project)):
            answer = home.client.post(f"/api/{path}", json=body)
            assert answer.status_code == 400, answer.text
            assert "hunter2" not in answer.text
    made = home.post("/api/projects", {"name": "hidden", "repository": "https://a:hunter2@example.org/x"})
    assert made["repository"] == "https://***@example.org/x"
    assert "hunter2" not in home.client.get("/api/projects").text
    assert home.client.patch(f"/api/projects/{made['id']}", json=made).status_code == 422
    kept = home.client.patch(f"/api/projects/{made['id']}", json={"repository": made["repository"]})
    assert kept.json()["repository"] == made["repository"]


def test_a_disabled_webhook_starts_nothing_and_the_delivery_says_so(home: House) -> None:
    """Who disabled it and why is found where somebody looks for the missing run."""
    project = home.project(secret=SECRET)
    home.script_plan("true", project=project)
    (webhook,) = home.get("/api/triggers", project=project)["items"]
    home.post(f"/api/triggers/{webhook['id']}/disable", {"why": "release week"})
    answer = _push(home, project)
    assert (answer["runs"], answer["state"]) == ([], "ignored")
    assert answer["detail"] == "it was disabled by admin: release week"
    (outcome,) = home.get(f"/api/deliveries/{answer['delivery']}")["delivery"]["outcomes"]
    assert (outcome["trigger"], outcome["run"]) == (webhook["id"], None)
    assert outcome["why_not"] == "it was disabled by admin: release week"


def test_names_of_a_plans_own_times_are_kept_for_them(home: House) -> None:
    """Somebody's own would be changed and removed with the plan's text."""
    definition = 'on: {schedule: "0 1 * * *"}\njobs: {job: {steps: [{run: "true"}]}}'
    plan = home.plan(definition)
    own = {"plan": plan, "name": "on.schedule.mine", "settings": {"kind": "cron", "expression": "0 3 * * *"}}
    made = home.post("/api/triggers", own)["id"]
    (ours,) = (one for one in home.get("/api/triggers", plan=plan)["items"] if one["name"] == "on.schedule")
    refused = [
        home.client.post("/api/triggers", json={**own, "name": "on.schedule.2"}),
        home.client.patch(f"/api/triggers/{made}", json={"name": "on.schedule.3"}),
        home.client.patch(f"/api/triggers/{ours['id']}", json={"name": "night"}),
    ]
    assert [answer.status_code for answer in refused] == [409, 409, 409]
    assert "follows `on.schedule`" in refused[0].json()["detail"]


def test_a_run_names_its_trigger(home: House) -> None:
    project = home.project(secret=SECRET)
    home.script_plan("true", project=project)
    (webhook,) = home.get("/api/triggers", project=project)["items"]
    (run,) = _push(home, project)["runs"]
    assert home.show(run)["trigger"]["id"] == webhook["id"]
    assert [one["id"] for one in home.get("/api/runs", trigger=webhook["id"])["items"]] == [run]


def test_the_commands_do_what_the_api_does(home: House) -> None:
    project = home.project("commands-of-triggers", secret=SECRET)
    home.script_plan("true", project=project)
    add = ("trigger", "add", "commands-of-triggers/plan", "git", "--name", "poll")
    id = tailrace(home, *add, "--set", "interval_s=30", "--set", 'branches=["main"]', "--disabled").strip()
    shown = json.loads(tailrace(home, "trigger", "show", id, "--json"))
    assert (shown["settings"]["interval_s"], shown["settings"]["branches"]) == (30, ["main"])
    assert not shown["enabled"]
    tailrace(home, "trigger", "enable", id, "--why", "it is time")
    tailrace(home, "trigger", "change", id, "--set", "mode=every", "--name", "each")
    tailrace(home, "trigger", "check", id)
    (_, poll) = json.loads(tailrace(home, "trigger", "list", "--project", "commands-of-triggers", "--json"))
    assert (poll["name"], poll["mode_why"], poll["settings"]["mode"]) == ("each", "it is time", "every")
    assert poll["settings"]["interval_s"] == 30, "what is not given stays"
    assert "each" in tailrace(home, "trigger", "list", "--plan", "commands-of-triggers/plan")
    tailrace(home, "trigger", "disable", id)
    tailrace(home, "trigger", "remove", id)
    assert "there is no trigger" in tailrace(home, "trigger", "show", id, status=2)
