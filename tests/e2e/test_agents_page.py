"""Agents in the page: what they are, and paused with a reason that the next person reads."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.e2e.test_page import sign_in
from tests.support.house import House
from tests.support.waiting import wait_for


def test_an_agent_is_paused_with_a_reason_and_resumed_by_keyboard(house: House, page: Page) -> None:
    """Its machine and load are told; while it is paused a job waits, and it begins when the agent is resumed."""
    house.up()
    [agent] = house.get("/api/agents")["items"]
    wait_for(lambda: house.get(f"/api/agents/{agent['id']}")["load"], "the first beat of the agent")
    sign_in(house, page, "/agents")
    row = page.get_by_test_id("agent-row")
    expect(row).to_contain_text(agent["name"])
    expect(row.get_by_test_id("agent-machine")).to_contain_text(agent["machine"]["architecture"])
    expect(row.get_by_test_id("agent-load")).to_contain_text("of memory free")
    expect(row.get_by_test_id("agent-address")).to_contain_text("127.0.0.1")
    expect(row.get_by_test_id("agent-version")).to_contain_text(agent["version"])

    row.get_by_test_id("agent-paused").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("[name=why]")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog).to_be_visible()  # a pause without a reason is not sent
    page.keyboard.type("a new disk")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(row.get_by_test_id("agent-mode")).to_have_text("Paused")
    paused = house.get(f"/api/agents/{agent['id']}")
    assert (paused["mode"], paused["mode_why"]) == ("paused", "a new disk")
    page.reload()
    expect(row.get_by_test_id("agent-mode-why")).to_contain_text(paused["mode_by"])
    expect(row.get_by_test_id("agent-mode-why")).to_contain_text("a new disk")

    run = house.run(house.script_plan("echo here"))
    assert house.show(run)["state"] == "pending"
    row.get_by_test_id("agent-active").focus()
    page.keyboard.press("Enter")
    expect(dialog.locator("[name=why]")).to_be_focused()
    page.keyboard.press("Escape")
    expect(row.get_by_test_id("agent-active")).to_be_focused()
    expect(page.locator("dialog")).to_have_count(
        0
    )  # the browser tells of its end a moment after the focus is back
    page.keyboard.press("Enter")
    expect(dialog.locator("[name=why]")).to_be_focused()
    page.keyboard.press("Enter")
    expect(row.get_by_test_id("agent-mode")).to_be_hidden()
    expect(row.get_by_test_id("agent-paused")).to_be_focused()
    house.wait_state(run, "passed")


def test_all_of_an_agent_fits_a_narrow_window(house: House, page: Page) -> None:
    """At 420 pixels nothing is cut off or lies beside the window, however long a reason is; other people's changes appear."""
    house.up()
    [agent] = house.get("/api/agents")["items"]
    page.set_viewport_size({"width": 420, "height": 800})
    sign_in(house, page, "/agents")
    row = page.get_by_test_id("agent-row")
    expect(row).to_be_visible()
    why = "the-disk-of-this-machine-is-" + "very-" * 20 + "old and goes"
    answer = house.client.patch(f"/api/agents/{agent['id']}", json={"mode": "draining", "why": why})
    assert answer.is_success, answer.text
    expect(row.get_by_test_id("agent-mode")).to_have_text("Drained")
    expect(row.get_by_test_id("agent-mode-why")).to_contain_text(why)
    inside = "() => [...document.querySelectorAll('.page *')].every(e => e.getBoundingClientRect().right <= innerWidth)"
    assert page.evaluate(inside)
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
