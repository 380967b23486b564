"""Triggers, deliveries, notifications and versions of plans in the page, as a person uses them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.test_page import sign_in
from tests.support.fake_service import FakeService
from tests.support.house import House

SECRET = "the-webhook-secret"
KEY = "whsec_" + base64.b64encode(bytes(range(32))).decode()
STEPS = "jobs: {job: {checkout: false, steps: [{run: echo hello}]}}"


@pytest.fixture
def house(tmp_path: Path) -> Generator[House]:
    """A house that may call loopback, where the receiver of webhooks is."""
    with House(tmp_path, TAILRACE_ALLOW_PRIVATE_TARGETS="127.0.0.1") as house:
        house.up()
        yield house


def push(house: House, project: str, branch: str, secret: str = SECRET) -> Any:
    """What the server answers to GitHub's webhook of a push."""
    revision = hashlib.sha1(branch.encode()).hexdigest()
    payload: dict[str, Any] = {
        "ref": f"refs/heads/{branch}",
        "before": "0" * 40,
        "after": revision,
        "repository": {"full_name": "ada/shop", "default_branch": "main"},
        "head_commit": {"id": revision, "message": "Grind finer"},
    }
    body = json.dumps(payload).encode()
    headers = {
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": f"delivery-of-{branch}",
        "X-Hub-Signature-256": f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}",
    }
    return house.client.post(f"/hooks/github/{project}", content=body, headers=headers)


def test_a_cron_trigger_is_made_and_disabled_with_a_reason(house: House, page: Page) -> None:
    """Its next times are shown before it is made; who disabled it, and why, stands beside it afterwards."""
    project = house.project("shop")
    house.plan(STEPS, project, "build")
    sign_in(house, page, "/triggers")
    page.get_by_test_id("add-trigger").click()
    form = page.get_by_test_id("trigger-form")
    form.locator("[name=kind]").select_option("cron")
    form.locator("[name=name]").fill("nightly")
    form.locator("[name=expression]").fill("99 3 * * *")
    expect(form.locator("[name=expression]")).to_have_attribute("aria-invalid", "true")
    form.locator("[name=expression]").fill("30 3 * * *")
    form.locator("[name=zone]").fill("Asia/Shanghai")
    expect(form.get_by_test_id("cron-preview")).to_contain_text("03:30:00 +08:00")
    form.locator("button[type=submit]").click()
    row = page.get_by_test_id("trigger-row").filter(has_text="nightly")
    expect(row).to_contain_text("Asia/Shanghai")

    row.get_by_test_id("mode-trigger").click()
    mode = page.get_by_test_id("mode-form")
    mode.locator("[name=why]").fill("the forge is being moved")
    mode.locator("button[type=submit]").click()
    expect(row).to_have_attribute("data-enabled", "false")
    expect(row.get_by_test_id("trigger-mode")).to_contain_text("by admin")
    expect(row.get_by_test_id("trigger-mode")).to_contain_text("the forge is being moved")
    [kept] = [one for one in house.get("/api/triggers")["items"] if one["name"] == "nightly"]
    assert (kept["enabled"], kept["mode_why"]) == (False, "the forge is being moved")
    assert kept["settings"]["expression"] == "30 3 * * *"


def test_what_is_wrong_with_a_trigger_is_said_beside_its_field(house: House, page: Page) -> None:
    """The dialog stays, and keeps what was typed."""
    house.plan(STEPS, house.project("shop"), "build")
    sign_in(house, page, "/triggers")
    page.get_by_test_id("add-trigger").click()
    form = page.get_by_test_id("trigger-form")
    form.locator("[name=kind]").select_option("git")
    form.locator("[name=name]").fill("poll")
    form.locator("[name=interval]").fill("1")
    form.locator("button[type=submit]").click()
    interval = form.locator("[name=interval]")
    expect(interval).to_have_attribute("aria-invalid", "true")
    expect(interval).to_be_focused()
    expect(form.locator(f"[id='{interval.get_attribute('aria-describedby')}']")).to_contain_text("5")
    expect(form.locator("[name=name]")).to_have_value("poll")


def test_a_delivery_is_opened_and_replayed_by_itself_and_with_others(house: House, page: Page) -> None:
    """It shows what was sent and what each trigger made of it; what was refused is listed apart."""
    project = house.project("shop", secret=SECRET)
    house.plan("on: {push: {branches: [main]}}\n" + STEPS, project, "build")
    assert push(house, "shop", "main").status_code == 202
    assert push(house, "shop", "topic").status_code == 202
    assert push(house, "shop", "evil", "not the secret").status_code == 401
    sign_in(house, page, "/deliveries")
    rows = page.get_by_test_id("delivery-row")
    expect(rows).to_have_count(2)
    assert [row.get_attribute("data-state") for row in rows.all()] == ["ignored", "accepted"]
    rows.last.get_by_role("link", name=re.compile("push")).click()
    expect(page.get_by_test_id("headers")).to_contain_text("delivery-of-main")
    expect(page.get_by_test_id("body")).to_contain_text('"ref": "refs/heads/main"')
    expect(page.get_by_test_id("outcome").first).to_contain_text("build / webhook")
    page.get_by_test_id("replay").click()
    link = page.get_by_test_id("replayed").get_by_role("link")
    link.click()
    expect(page).to_have_url(re.compile(r"/runs/\d+$"))
    assert len(house.get("/api/runs")["items"]) == 2

    page.goto(f"{house.url}/deliveries")
    page.get_by_label("Choose all that are shown").check()
    page.get_by_test_id("replay-chosen").click()
    expect(page.get_by_test_id("replayed")).to_contain_text("2 deliveries")
    assert len(house.get("/api/runs")["items"]) == 3
    page.get_by_label("State").select_option("ignored")
    expect(rows).to_have_count(1)
    page.get_by_role("link", name="Refusals").click()
    expect(page.get_by_test_id("refusal-row")).to_contain_text("X-Hub-Signature-256")


def test_a_channel_is_made_tried_told_and_removed(house: House, page: Page) -> None:
    """Its key is never shown; a rule tells it of a run, and the outbox what became of that."""
    project = house.project("shop")
    plan = house.plan(STEPS, project, "build")
    with FakeService() as receiver:
        sign_in(house, page, "/notifications/channels")
        page.get_by_test_id("add-channel").click()
        form = page.get_by_test_id("channel-form")
        form.locator("[name=kind]").select_option("webhook")
        form.locator("[name=name]").fill("team")
        form.locator("[name=url]").fill(f"{receiver.url}/in")
        form.locator("[name=secret-key]").fill(KEY)
        form.locator("button[type=submit]").click()
        row = page.locator("[data-testid=channel-row][data-name=team]")
        row.get_by_test_id("test-channel").click()
        expect(page.get_by_test_id("trial")).to_have_attribute("data-ok", "true")
        assert receiver.asked[0].json["type"] == "test"
        row.get_by_role("button", name="Edit: team").click()
        expect(form.locator("[name=secret-key]")).to_have_value("")
        form.locator("[name=name]").fill("crew")
        form.locator("button[type=submit]").click()
        expect(page.locator("[data-testid=channel-row][data-name=crew]")).to_be_visible()
        assert KEY not in page.content()

        page.get_by_role("link", name="Rules").click()
        page.get_by_test_id("add-rule").click()
        rule = page.get_by_test_id("rule-form")
        rule.locator("[name=every]").check()
        rule.locator("[name=branches]").fill("")
        rule.locator("button[type=submit]").click()
        expect(page.get_by_test_id("rule-row")).to_contain_text("every end")
        house.wait_state(house.run(plan), "passed")
        page.get_by_role("link", name="Outbox").click()
        expect(page.get_by_test_id("notification-row")).to_have_attribute("data-state", "sent")
        assert [asked.json["type"] for asked in receiver.asked] == ["test", "run.passed"]

    page.get_by_role("link", name="Channels").click()
    page.get_by_test_id("test-channel").click()
    expect(page.get_by_test_id("trial")).to_have_attribute("data-ok", "false")
    page.get_by_test_id("remove-channel").click()
    page.get_by_test_id("confirm-remove").click()
    expect(page.get_by_test_id("channel-row")).to_have_count(0)
    assert house.get("/api/notification-rules")["items"] == []


def test_an_earlier_version_comes_back_and_so_does_a_removed_plan(house: House, page: Page) -> None:
    """Two versions are compared; the text of the first is in force again as the third."""
    plan = house.plan(STEPS, house.project("shop"), "build")
    sign_in(house, page, "/plans")
    page.get_by_role("button", name="Edit: build").click()
    form = page.get_by_test_id("plan-form")
    form.locator("textarea").fill(STEPS.replace("hello", "goodbye"))
    form.locator("button[type=submit]").click()
    page.get_by_role("link", name="Versions: build").click()
    expect(page.get_by_test_id("version-row")).to_have_count(2)
    expect(page.get_by_test_id("diff")).to_contain_text("echo goodbye")
    page.get_by_test_id("restore-version").click()
    expect(page.get_by_test_id("restored")).to_contain_text("version 3")
    assert house.get(f"/api/plans/{plan}")["definition"] == STEPS

    page.goto(f"{house.url}/plans")
    page.get_by_test_id("remove-plan").click()
    page.get_by_test_id("confirm-remove").click()
    expect(page.get_by_test_id("plan-row")).to_have_count(0)
    page.get_by_test_id("show-removed").click()
    page.get_by_role("button", name=re.compile("^Restore: ")).click()
    expect(page.get_by_test_id("plan-row")).to_have_count(1)
