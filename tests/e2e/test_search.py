"""Finding a line: in the log that one looks at, and in those of many runs."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.e2e.test_page import sign_in
from tests.support.house import House

HAYSTACK = "seq -f 'line %.0f of the haystack' 1 300000; echo 'here is the Needle'; seq -f 'more %.0f' 1 300000; exit 3"


def test_a_line_of_a_long_log_is_found_and_gone_to(home: House, page: Page) -> None:
    """Far outside of what was loaded, with its number, and marked; the next one by Enter, the bar closes by Esc."""
    run = home.run(home.script_plan(HAYSTACK))
    home.wait_state(run, "failed")
    home.wait_log(run)
    sign_in(home, page, f"/runs/{run}")
    expect(page.get_by_text("more 300000", exact=True)).to_be_visible()
    page.keyboard.press("/")
    page.get_by_test_id("search-field").fill("needle")
    hit = page.get_by_test_id("search-hit")
    expect(hit).to_have_count(1)
    line = hit.get_attribute("data-line")
    page.get_by_test_id("search-field").press("Enter")
    row = page.locator(f"[data-testid=console-line][data-line='{line}']")
    expect(row).to_contain_text("here is the Needle")
    expect(row.locator("mark")).to_have_text("Needle")
    page.get_by_test_id("search-case").click()
    expect(page.get_by_test_id("search-count")).to_contain_text(re.compile("nothing", re.IGNORECASE))
    page.get_by_test_id("search-field").press("Escape")
    expect(page.get_by_test_id("search-bar")).to_be_hidden()


def test_an_expression_that_is_wrong_is_explained(home: House, page: Page) -> None:
    """By the server, under the field; the page goes on."""
    run = home.run(home.script_plan("echo hello"))
    home.wait_state(run, "passed")
    home.wait_log(run)
    sign_in(home, page, f"/runs/{run}")
    page.get_by_test_id("console-search").click()
    page.get_by_test_id("search-regex").click()
    page.get_by_test_id("search-field").fill("hel(lo")
    expect(page.get_by_test_id("search-bar").get_by_role("alert")).to_be_visible()
    page.get_by_test_id("search-field").fill("hel+o")
    expect(page.get_by_test_id("search-hit").first).to_contain_text("hello")


def test_a_log_that_grows_is_searched_on(home: House, page: Page, tmp_path: Path) -> None:
    """What comes while the bar is open is found too."""
    gate, end = tmp_path / "gate", tmp_path / "end"
    wait = "while [ ! -e {} ]; do sleep 0.05; done"
    script = f"echo first needle; {wait.format(gate)}; echo second needle; {wait.format(end)}"
    run = home.run(home.script_plan(script))
    sign_in(home, page, f"/runs/{run}")
    expect(page.get_by_text("first needle", exact=True)).to_be_visible()
    page.keyboard.press("Control+f")
    page.get_by_test_id("search-field").fill("needle")
    expect(page.locator("[data-testid=search-hit]", has_text="first needle")).to_be_visible()
    gate.touch()
    expect(page.locator("[data-testid=search-hit]", has_text="second needle")).to_be_visible()
    assert home.show(run)["state"] == "running"
    end.touch()
    home.wait_state(run, "passed")


def test_many_runs_are_searched_and_a_hit_leads_to_its_line(home: House, page: Page) -> None:
    """Grouped by run, the newest first; filters narrow it; the link shows the line, marked."""
    rare = f"rare-{uuid.uuid4().hex[:8]}"
    plan = home.script_plan(f"echo a; echo b; echo {rare} words; echo c")
    other = home.script_plan(f"echo {rare} too; exit 3")
    runs = [home.run(plan), home.run(other)]
    home.wait_state(runs[0], "passed")
    home.wait_state(runs[1], "failed")
    for run in runs:
        home.wait_log(run)
    sign_in(home, page, "/search")
    page.get_by_test_id("search-field").fill(rare)
    page.get_by_test_id("search-field").press("Enter")
    groups = page.get_by_test_id("search-run")
    expect(groups).to_have_count(2)
    shown = groups.evaluate_all("groups => groups.map(group => Number(group.dataset.runId))")
    assert shown == runs[::-1]
    page.locator("[name=state]").select_option("passed")
    page.get_by_test_id("search-field").press("Enter")
    expect(groups).to_have_count(1)
    page.get_by_test_id("search-hit").click()
    expect(page).to_have_url(re.compile(rf"/runs/{runs[0]}\?.*#L\d+$"))
    expect(page.locator(".row.marked")).to_contain_text(f"{rare} words")
