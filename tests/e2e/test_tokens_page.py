"""Tokens in the page: made and shown once, signed in with, removed; what one may not do is not offered."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.e2e.test_page import sign_in
from tests.support.house import House


def test_a_token_is_made_used_and_removed(house: House, page: Page) -> None:
    """Its value is seen once; who signs in with it is put out when it is removed, wherever in the page they are."""
    house.server()
    plan = house.script_plan("true", project=house.project("shop"))
    sign_in(house, page, "/tokens")
    expect(page.get_by_test_id("who")).to_contain_text("admin")
    page.get_by_test_id("add-token").click()
    form = page.get_by_test_id("token-form")
    form.locator("[name=name]").fill("ada")
    form.locator("[name=role]").select_option("reader")
    form.locator("button[type=submit]").click()
    value = page.get_by_test_id("made-token").locator("input").input_value()
    assert re.fullmatch(r"trt_[0-9a-f]{64}", value)
    page.get_by_test_id("made-token").locator("button[type=submit]").click()
    row = page.locator("[data-testid=token-row][data-name=ada]")
    expect(row).to_contain_text("reader")
    assert value not in page.content()

    browser = page.context.browser
    assert browser is not None
    context = browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 800})
    other = context.new_page()
    other.goto(f"{house.url}/plans")
    form = other.get_by_test_id("token-sign-in")
    form.locator("input").fill(value)
    form.locator("button").click()
    expect(other).to_have_url(f"{house.url}/plans")
    expect(other.get_by_test_id("who")).to_contain_text("ada")
    run = other.locator(f"[data-plan-id='{plan}']").get_by_test_id("run-plan")
    expect(run).to_be_disabled()
    expect(run).to_have_attribute("title", "This needs the role member.")
    expect(other.get_by_role("link", name="Tokens")).to_have_count(0)
    other.goto(f"{house.url}/tokens")
    expect(other.get_by_role("alert")).to_contain_text("needs the role admin, and ada is reader")
    other.goto(f"{house.url}/runs")
    expect(other.get_by_role("heading", name="Runs")).to_be_visible()

    row.get_by_test_id("remove-token").click()
    page.get_by_test_id("confirm-remove").click()
    expect(row).to_be_hidden()
    expect(other).to_have_url(re.compile("/login"))
    context.close()
