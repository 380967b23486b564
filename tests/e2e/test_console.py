"""The console as a person reads a log in it: rewritten lines, long logs, what is shown of them."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.e2e.test_page import console, lines_of, sign_in
from tests.support.house import House
from tests.support.waiting import wait_for


def expect_texts(page: Page, *texts: str) -> None:
    """Until these are the texts of the rows that the console draws, without Tailrace's own."""
    expect(page.locator("[data-testid=console-line]:not([data-stream=system]) .text")).to_have_text(texts)


def test_a_progress_bar_is_one_line_that_changes(home: House, page: Page, tmp_path: Path) -> None:
    """While it runs and at its end the console shows what a terminal would; the log keeps every byte."""
    gate = tmp_path / "gate"
    script = (
        r"for n in $(seq 1 400); do printf '\rfetched %d%%' $n; done; printf '\r\033[Kwaiting';"
        f" while [ ! -e {gate} ]; do sleep 0.05; done;"
        r" printf '\rdone\033[K\nlast line\n'"
    )
    run = home.run(home.script_plan(script))
    sign_in(home, page, f"/runs/{run}")
    expect(page.get_by_text("waiting", exact=True)).to_be_visible()
    expect_texts(page, "waiting")
    gate.touch()
    expect(page.get_by_text("last line", exact=True)).to_be_visible()
    expect_texts(page, "done", "last line")
    home.wait_state(run, "passed")
    log = home.wait_log(run)["log"]
    raw = home.output(log)
    assert raw.count(b"\rfetched") == 400
    whole = home.output(log, None)
    expect(console(page)).to_have_attribute("data-offset", str(len(whole)))
    expect(console(page)).to_have_attribute("data-lines", str(whole.count(b"\n")))


def test_several_bars_are_rewritten_in_place(home: House, page: Page) -> None:
    """As docker does it: the cursor goes up, a line is erased and written again, the cursor comes back."""
    script = (
        r"printf 'pulling\na: 0\nb: 0\nc: 0\n'; for n in $(seq 1 200); do"
        r" printf '\033[3A\033[2K\ra: %d\r\033[3B' $n; printf '\033[1A\033[2K\rc: %d\r\033[1B' $n; done;"
        r" printf 'pulled\n'"
    )
    run = home.run(home.script_plan(script))
    home.wait_state(run, "passed")
    home.wait_log(run)
    sign_in(home, page, f"/runs/{run}")
    expect(page.get_by_text("pulled", exact=True)).to_be_visible()
    expect_texts(page, "pulling", "a: 200", "b: 0", "c: 200", "pulled")


def test_one_stream_can_be_shown_alone_and_lines_can_be_wrapped(home: House, page: Page) -> None:
    """The lines keep their numbers; a wrapped line needs no scrolling sideways."""
    run = home.run(
        home.script_plan("for n in 1 2 3; do echo out $n; echo err $n >&2; sleep 0.1; done; seq -s ' ' 900")
    )
    home.wait_state(run, "passed")
    home.wait_log(run)
    sign_in(home, page, f"/runs/{run}")
    expect(page.get_by_text("out 3", exact=True)).to_be_visible()
    page.get_by_test_id("console-streams").select_option("stderr")
    expect(page.get_by_text("out 3", exact=True)).to_be_hidden()
    expect_texts(page, "err 1", "err 2", "err 3")
    page.get_by_test_id("console-streams").select_option("")
    wide = "element => element.scrollWidth > element.clientWidth"
    wait_for(lambda: console(page).evaluate(wide), "the console to be wider than it is shown")
    page.get_by_test_id("console-wrap").click()
    wait_for(lambda: not console(page).evaluate(wide), "the console to be no wider than it is shown")
    expect(page.get_by_text("899 900")).to_be_visible()


def test_a_log_of_many_megabytes_is_read_where_one_looks(home: House, page: Page) -> None:
    """Only its end comes by itself; its beginning when one goes there. Nothing in between has to be loaded."""
    run = home.run(home.script_plan("seq -f 'line %.0f of a log that is rather long' 1 600000; exit 3"))
    home.wait_state(run, "failed")
    log = home.wait_log(run)["log"]
    size = len(home.output(log, None))
    sign_in(home, page, f"/runs/{run}")
    expect(page.get_by_text("line 600000 of a log that is rather long", exact=True)).to_be_visible()
    expect(console(page)).to_have_attribute("data-offset", str(size))
    page.keyboard.press("Home")
    expect(page.get_by_text("line 1 of a log that is rather long", exact=True)).to_be_visible()
    assert lines_of(page) in (0, 600_000 + 2, 600_000 + 3)  # 0 until the server says how many


def test_groups_are_folded_and_open_for_what_is_looked_for(home: House, page: Page) -> None:
    """A click on the head hides what is in the group, a link to a line in it shows it; the log has every byte."""
    run = home.run(
        home.script_plan("echo before; echo ::group::Build; echo compiling; echo ::endgroup::; echo after")
    )
    home.wait_state(run, "passed")
    log = home.wait_log(run)["log"]
    assert home.output(log) == b"before\n::group::Build\ncompiling\n::endgroup::\nafter\n"
    sign_in(home, page, f"/runs/{run}")
    expect(page.get_by_text("after", exact=True)).to_be_visible()
    expect_texts(page, "before", "Build", "compiling", "::endgroup::", "after")
    page.get_by_test_id("fold").click()
    expect(page.get_by_text("compiling", exact=True)).to_be_hidden()
    expect_texts(page, "before", "Build", "after")
    expect(page.get_by_test_id("fold")).to_have_attribute("aria-expanded", "false")
    page.evaluate("location.hash = '#L4'")
    expect(page.get_by_text("compiling", exact=True)).to_be_visible()
    page.get_by_text("Build", exact=True).click()
    expect(page.get_by_text("compiling", exact=True)).to_be_hidden()
