"""The console as a person reads a log in it: rewritten lines, long logs, what is shown of them."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.e2e.test_page import console, lines_of, sign_in
from tests.support.house import House
from tests.support.waiting import wait_for


def texts_of(page: Page) -> list[str]:
    """The texts of the rows that the console draws, without Tailrace's own."""
    rows = page.locator("[data-testid=console-line]:not([data-stream=system]) .text")
    return rows.all_inner_texts()


def test_a_progress_bar_is_one_line_that_changes(house: House, page: Page) -> None:
    """While it runs and at its end the console shows what a terminal would; the log keeps every byte."""
    house.up()
    gate = house.folder / "gate"
    script = (
        r"for n in $(seq 1 400); do printf '\rfetched %d%%' $n; done; printf '\r\033[Kwaiting';"
        f" while [ ! -e {gate} ]; do sleep 0.05; done;"
        r" printf '\rdone\033[K\nlast line\n'"
    )
    run = house.run(house.script_plan(script))
    sign_in(house, page, f"/runs/{run}")
    expect(page.get_by_text("waiting", exact=True)).to_be_visible()
    assert texts_of(page) == ["waiting"]
    gate.touch()
    expect(page.get_by_text("last line", exact=True)).to_be_visible()
    assert texts_of(page) == ["done", "last line"]
    house.wait_state(run, "passed")
    log = house.wait_log(run)["log"]
    raw = house.output(log)
    assert raw.count(b"\rfetched") == 400
    whole = house.output(log, None)
    expect(console(page)).to_have_attribute("data-offset", str(len(whole)))
    expect(console(page)).to_have_attribute("data-lines", str(whole.count(b"\n")))


def test_several_bars_are_rewritten_in_place(house: House, page: Page) -> None:
    """As docker does it: the cursor goes up, a line is erased and written again, the cursor comes back."""
    house.up()
    script = (
        r"printf 'pulling\na: 0\nb: 0\nc: 0\n'; for n in $(seq 1 200); do"
        r" printf '\033[3A\033[2K\ra: %d\r\033[3B' $n; printf '\033[1A\033[2K\rc: %d\r\033[1B' $n; done;"
        r" printf 'pulled\n'"
    )
    run = house.run(house.script_plan(script))
    house.wait_state(run, "passed")
    house.wait_log(run)
    sign_in(house, page, f"/runs/{run}")
    expect(page.get_by_text("pulled", exact=True)).to_be_visible()
    assert texts_of(page) == ["pulling", "a: 200", "b: 0", "c: 200", "pulled"]


def test_one_stream_can_be_shown_alone_and_lines_can_be_wrapped(house: House, page: Page) -> None:
    """The lines keep their numbers; a wrapped line needs no scrolling sideways."""
    house.up()
    run = house.run(
        house.script_plan("for n in 1 2 3; do echo out $n; echo err $n >&2; sleep 0.1; done; seq -s ' ' 900")
    )
    house.wait_state(run, "passed")
    house.wait_log(run)
    sign_in(house, page, f"/runs/{run}")
    expect(page.get_by_text("out 3", exact=True)).to_be_visible()
    page.get_by_test_id("console-streams").select_option("stderr")
    expect(page.get_by_text("out 3", exact=True)).to_be_hidden()
    assert texts_of(page) == ["err 1", "err 2", "err 3"]
    page.get_by_test_id("console-streams").select_option("")
    wide = "element => element.scrollWidth > element.clientWidth"
    assert console(page).evaluate(wide)
    page.get_by_test_id("console-wrap").click()
    wait_for(lambda: not console(page).evaluate(wide), "the console to be no wider than it is shown")
    expect(page.get_by_text("899 900")).to_be_visible()


def test_a_log_of_many_megabytes_is_read_where_one_looks(house: House, page: Page) -> None:
    """Only its end comes by itself; its beginning when one goes there. Nothing in between has to be loaded."""
    house.up()
    run = house.run(house.script_plan("seq -f 'line %.0f of a log that is rather long' 1 600000; exit 3"))
    house.wait_state(run, "failed")
    log = house.wait_log(run)["log"]
    size = len(house.output(log, None))
    sign_in(house, page, f"/runs/{run}")
    expect(page.get_by_text("line 600000 of a log that is rather long", exact=True)).to_be_visible()
    expect(console(page)).to_have_attribute("data-offset", str(size))
    page.keyboard.press("Home")
    expect(page.get_by_text("line 1 of a log that is rather long", exact=True)).to_be_visible()
    assert lines_of(page) in (0, 600_000 + 2, 600_000 + 3)  # 0 until the server says how many


def test_groups_are_folded_and_open_for_what_is_looked_for(house: House, page: Page) -> None:
    """A click on the head hides what is in the group, a link to a line in it shows it; the log has every byte."""
    house.up()
    run = house.run(
        house.script_plan("echo before; echo ::group::Build; echo compiling; echo ::endgroup::; echo after")
    )
    house.wait_state(run, "passed")
    log = house.wait_log(run)["log"]
    assert house.output(log) == b"before\n::group::Build\ncompiling\n::endgroup::\nafter\n"
    sign_in(house, page, f"/runs/{run}")
    expect(page.get_by_text("after", exact=True)).to_be_visible()
    assert texts_of(page) == ["before", "Build", "compiling", "::endgroup::", "after"]
    page.get_by_test_id("fold").click()
    expect(page.get_by_text("compiling", exact=True)).to_be_hidden()
    assert texts_of(page) == ["before", "Build", "after"]
    expect(page.get_by_test_id("fold")).to_have_attribute("aria-expanded", "false")
    page.evaluate("location.hash = '#L4'")
    expect(page.get_by_text("compiling", exact=True)).to_be_visible()
    page.get_by_text("Build", exact=True).click()
    expect(page.get_by_text("compiling", exact=True)).to_be_hidden()
