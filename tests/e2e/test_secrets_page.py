"""Secrets in the page: set, replaced and removed, and never shown."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.e2e.test_page import sign_in
from tests.support.house import House

VALUE = "correct-horse-battery-staple"


def test_a_secret_is_set_used_masked_and_removed(house: House, page: Page) -> None:
    """Its value appears nowhere in the page, not in the log either; removing it asks first."""
    house.up()
    project = house.project("shop")
    sign_in(house, page, f"/secrets?project={project}")
    page.get_by_test_id("add-secret").click()
    form = page.get_by_test_id("secret-form")
    form.locator("[name=name]").fill("API_TOKEN")
    form.locator("textarea").fill(VALUE)
    form.locator("button[type=submit]").click()
    row = page.locator("[data-testid=secret-row][data-name=API_TOKEN]")
    expect(row).to_contain_text("shop")
    assert VALUE not in page.content()

    run = house.run(house.script_plan('echo "token: $API_TOKEN ."', project=project, secrets=["API_TOKEN"]))
    house.wait_state(run, "passed")
    house.wait_log(run)
    page.goto(f"{house.url}/runs/{run}")
    expect(page.get_by_text("token: *** .", exact=True)).to_be_visible()
    assert VALUE not in page.content()

    page.goto(f"{house.url}/secrets")
    row.get_by_test_id("remove-secret").click()
    expect(page.get_by_role("dialog")).to_contain_text("API_TOKEN")
    page.get_by_test_id("confirm-remove").click()
    expect(row).to_be_hidden()
    assert house.get("/api/secrets")["items"] == []


def test_a_short_value_is_saved_with_a_warning(house: House, page: Page) -> None:
    """It cannot be masked, and the page says so, then and later."""
    house.up()
    sign_in(house, page, "/secrets")
    page.get_by_test_id("add-secret").click()
    form = page.get_by_test_id("secret-form")
    form.locator("[name=name]").fill("PIN")
    form.locator("textarea").fill("1234")
    form.locator("button[type=submit]").click()
    expect(page.get_by_test_id("secret-warnings")).to_contain_text("PIN")
    page.reload()
    expect(page.locator("[data-testid=secret-row][data-name=PIN] .warnings")).to_be_visible()
