"""What a project has in the page: runs with parameters, approvals, environments, webhooks, badges, its removal."""

from __future__ import annotations

import hashlib
import hmac
import json
import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.test_page import sign_in
from tests.support.house import House
from tests.support.waiting import wait_for

STEPS = "jobs: {job: {checkout: false, steps: [{run: echo hello}]}}"
ASKING = """\
parameters:
  LEVEL: {type: choice, choices: [low, high], description: How much}
  WORKERS: {type: number, min: 1, max: 16, default: 4}
  OTP: {type: secret}
jobs:
  job: {checkout: false, secrets: OTP, steps: [{run: 'echo "level $LEVEL by $WORKERS and ${#OTP}"'}]}
"""
PATHS = {"GitHub": "github", "GitLab": "gitlab", "Gitea, Forgejo": "gitea", "Any sender": "generic"}
DEPLOYING = "jobs: {out: {environment: production, checkout: false, steps: [{run: echo out}]}}"


def test_a_run_is_asked_for_what_its_plan_wants_to_know(house: House, page: Page) -> None:
    """What the server finds wrong stands at its field, which gets the focus; the answers reach the script."""
    house.up()
    house.plan(ASKING, house.project("shop"), "release")
    sign_in(house, page, "/plans")
    page.get_by_test_id("run-plan").click()
    form = page.get_by_test_id("run-form")
    expect(form.get_by_label("LEVEL")).to_be_focused()
    form.get_by_label("LEVEL").select_option("high")
    form.get_by_label("WORKERS").fill("5")
    form.get_by_label("OTP").fill("short")
    form.locator("button[type=submit]").click()
    secret = form.get_by_label("OTP")
    expect(secret).to_have_attribute("aria-invalid", "true")
    expect(secret).to_be_focused()
    expect(form.get_by_role("alert")).to_contain_text("must have 6 characters or more")
    secret.fill("hush-hush-4711")
    page.keyboard.press("Enter")
    expect(page.get_by_text("level high by 5 and 14", exact=True)).to_be_visible()


def test_who_waits_for_approval_is_listed_and_decided_by_keyboard(house: House, page: Page) -> None:
    """The environment is made in the page; its job waits until somebody approves it with a reason."""
    house.up()
    project = house.project("shop")
    plan = house.plan(DEPLOYING, project, "deploy")
    sign_in(house, page, f"/projects/{project}/environments")
    page.get_by_test_id("add-environment").click()
    form = page.get_by_test_id("environment-form")
    form.get_by_label("Name").fill("production")
    form.get_by_label("Approvers").fill("admin")
    form.get_by_label("Branches").fill("a branch that\ncannot be")
    form.locator("button[type=submit]").click()
    row = page.get_by_test_id("environment-row")
    expect(row).to_contain_text("admin")
    row.get_by_role("button", name="Edit: production").click()
    form.get_by_label("Branches").fill("")
    form.locator("button[type=submit]").click()
    expect(row).to_contain_text(re.compile("Branches *all"))
    [kept] = house.get("/api/environments", project=project)["items"]
    assert (kept["approval"], kept["approvers"], kept["branches"]) == (True, ["admin"], None)

    run = house.run(plan)
    page.get_by_role("link", name="Approvals").click()
    waiting = page.get_by_test_id("approval-row")
    expect(waiting).to_have_attribute("data-state", "open")
    expect(waiting).to_contain_text("environment production")
    waiting.get_by_label("Why").focus()
    page.keyboard.type("the tests are green")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Nothing waits for approval")).to_be_visible()
    house.wait_state(run, "passed")
    page.get_by_label("State").select_option("approved")
    expect(waiting).to_contain_text("the tests are green")

    page.goto(f"{house.url}/projects/{project}/environments")
    page.get_by_test_id("remove-environment").click()
    page.get_by_test_id("confirm-remove").click()
    expect(row).to_have_count(0)
    house.wait_state(house.run(plan), "passed")


def test_what_the_page_says_to_enter_at_a_forge_is_what_the_server_takes(home: House, page: Page) -> None:
    """A secret is made up; with it and the address shown, each sender is believed, and without it none."""
    project = home.project()
    home.plan(STEPS, project, "build")
    sign_in(home, page, f"/projects/{project}/webhooks")
    page.get_by_test_id("make-secret").click()
    page.get_by_test_id("hook-secret").locator("button[type=submit]").click()
    secret = page.get_by_test_id("fresh-secret").locator("input").input_value()
    body = json.dumps(
        {"ref": "refs/heads/main", "after": "1" * 40, "before": "0" * 40, "repository": {"full_name": "a/b"}}
    ).encode()
    signed = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    address = page.get_by_test_id("hook-address").locator("input")
    for sender, headers in {
        "GitHub": {"X-GitHub-Event": "push", "X-Hub-Signature-256": f"sha256={signed}"},
        "GitLab": {"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": secret},
        "Gitea, Forgejo": {"X-Gitea-Event": "push", "X-Gitea-Signature": signed},
        "Any sender": {"X-Tailrace-Token": secret, "Content-Type": "application/json"},
    }.items():
        page.get_by_label(sender).check()
        expect(address).to_have_value(re.compile(f"/hooks/{PATHS[sender]}/"))
        answer = home.client.post(address.input_value(), content=body, headers=headers)
        assert answer.status_code in (202, 400), (
            sender,
            answer.text,
        )  # a body of GitHub's is not all of them
    page.get_by_test_id("remove-secret").click()
    page.get_by_test_id("confirm-remove").click()
    expect(page.get_by_test_id("hook-secret")).to_have_attribute("data-kept", "false")
    refused = home.client.post(address.input_value(), content=b"{}", headers={"X-Tailrace-Token": secret})
    assert refused.status_code == 401


def test_how_generic_webhooks_are_read_is_tried_and_kept(home: House, page: Page) -> None:
    """A path that is wrong is said at its field; what was tried is what the server then makes of it."""
    secret = "the-webhook-secret"
    project = home.project(secret=secret)
    home.plan(STEPS, project, "build")
    sign_in(home, page, f"/projects/{project}/webhooks?from=generic")
    form = page.get_by_test_id("hook-form")
    body = {"push_data": {"tag": "latest", "branch": "release/1"}}
    form.locator("[name=body]").fill(json.dumps(body))
    form.locator("[name=pick-branch]").fill("push_data..branch")
    page.get_by_test_id("try-hook").click()
    expect(form.locator("[name=pick-branch]")).to_be_focused()
    expect(form.locator("[name=pick-branch]")).to_have_attribute("aria-invalid", "true")
    form.locator("[name=pick-branch]").fill("push_data.branch")
    only = page.get_by_test_id("pairs-only")
    only.get_by_role("button", name="Add: Only where").click()
    page.keyboard.type("push_data.tag")
    page.keyboard.press("Tab")
    page.keyboard.type("latest")
    page.get_by_test_id("try-hook").click()
    expect(page.get_by_test_id("hook-tried")).to_contain_text("refs/heads/release/1")
    page.get_by_test_id("save-hook").click()
    expect(page.get_by_test_id("hook-news")).to_be_visible()

    def send(tag: str) -> int:
        payload = {"push_data": {"tag": tag, "branch": "release/1"}}
        answer = home.client.post(
            f"/hooks/generic/{project}", json=payload, headers={"X-Tailrace-Token": secret}
        )
        assert answer.status_code == 202, answer.text
        return len(answer.json()["runs"])

    assert (send("latest"), send("other")) == (1, 0)
    assert home.get("/api/runs", project=project)["items"][0]["branch"] == "release/1"
    page.get_by_test_id("remove-hook").click()
    page.get_by_test_id("confirm-remove").click()
    expect(form.locator("[name=pick-branch]")).to_have_value("")
    assert home.get(f"/api/projects/{project}/hook")["picks"]["branch"] is None


def test_badges_are_shown_with_what_a_readme_wants(home: House, page: Page) -> None:
    """The pictures load; the Markdown is what the command prints."""
    project = home.project()
    home.wait_state(home.run(home.plan(STEPS, project, "build")), "passed")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=home.url)
    sign_in(home, page, f"/projects/{project}/badges")
    row = page.locator("[data-testid=badge-row][data-plan=build]")
    picture = row.get_by_role("img", name="Badge of build")
    wait_for(lambda: picture.evaluate("img => img.naturalWidth") > 0, "the picture")
    row.get_by_role("button", name="Copy: Markdown build").click()
    markdown = home.get("/api/badges", project=project, plan="build")["markdown"]
    wait_for(lambda: page.evaluate("() => navigator.clipboard.readText()") == markdown, "the Markdown")
    page.get_by_label("Branch").fill("topic")
    of_branch = home.get("/api/badges", project=project, plan="build", branch="topic")
    expect(row.get_by_role("textbox", name="Address of the picture")).to_have_value(of_branch["url"])


def test_a_project_is_renamed_removed_and_restored(house: House, page: Page) -> None:
    """What was removed is shown where it can be restored, with its plans."""
    house.up()
    project = house.project("shop")
    house.plan(STEPS, project, "build")
    sign_in(house, page, f"/projects/{project}")
    page.get_by_label("Name").fill("a name with blanks")
    page.get_by_test_id("project-form").locator("button[type=submit]").click()
    expect(page.get_by_label("Name")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Name").fill("store")
    page.get_by_test_id("project-form").locator("button[type=submit]").click()
    expect(page.get_by_role("heading", name="store")).to_be_visible()
    page.get_by_test_id("remove-project").click()
    page.get_by_test_id("confirm-remove").click()
    expect(page.get_by_test_id("removed-row")).to_contain_text("store")
    assert house.get("/api/projects")["items"] == []
    page.get_by_role("button", name="Restore: store").click()
    expect(page.get_by_test_id("plan-row")).to_have_count(1)
    assert [one["name"] for one in house.get("/api/projects")["items"]] == ["store"]


def test_who_changed_an_agent_is_shown(house: House, page: Page) -> None:
    """Newest first, with the reason."""
    house.up()
    [agent] = house.get("/api/agents")["items"]
    for mode, why in (("paused", "a new disk"), ("active", "it is in")):
        assert house.client.patch(f"/api/agents/{agent['id']}", json={"mode": mode, "why": why}).is_success
    sign_in(house, page, "/agents")
    page.get_by_text("History", exact=True).click()
    changes = page.get_by_test_id("agent-change")
    expect(changes).to_have_count(2)
    expect(changes.first).to_contain_text("it is in")
    expect(changes.last).to_contain_text("by admin")


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_the_pages_of_a_project_fit_a_narrow_window(house: House, page: Page, locale: str) -> None:
    """At 390 pixels nothing lies beside the window."""
    house.up()
    project = house.project("a-project-with-a-name-that-is-rather-long", secret="the-webhook-secret")
    plan = house.plan(DEPLOYING, project, "a-plan-with-a-name-that-is-rather-long")
    house.post("/api/environments", {"project": project, "name": "production", "branches": None})
    house.run(plan)
    hook = {"picks": {"branch": "'main'"}, "values": {"A": "b"}, "only": {"c": ["d"]}}
    assert house.client.put(f"/api/projects/{project}/hook", json=hook).is_success
    page.set_viewport_size({"width": 390, "height": 800})
    sign_in(house, page, "/runs")
    page.get_by_role("combobox", name=re.compile("language|语言", re.IGNORECASE)).select_option(
        "zh-CN" if locale == "zh-CN" else "en"
    )
    expect(page.get_by_test_id("run-row").first).to_be_visible()
    here = f"/projects/{project}"
    for at in (
        "/runs", "/plans?removed=1", "/approvals?state=any", here, f"{here}/webhooks?from=generic",
        f"{here}/environments", f"{here}/badges", "/triggers", "/deliveries", "/notifications",
    ):  # fmt: skip
        page.goto(house.url + at)
        expect(page.get_by_text(re.compile("^(Loading…|加载中…)$"))).to_have_count(0)
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), at
        assert page.evaluate("() => document.querySelector('main').scrollWidth <= innerWidth"), at
