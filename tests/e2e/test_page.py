"""The page as a person uses it: sign in, run, watch, scroll, abort, and a server that restarts meanwhile."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.support.house import House
from tests.support.waiting import wait_for


def sign_in(house: House, page: Page, to: str = "/") -> None:
    """By the link, as `tailrace login-link` prints it."""
    page.goto(house.post("/api/login-codes", {"next": to})["url"])
    expect(page).to_have_url(re.compile(re.escape(house.url + to.rstrip("/"))))


def counting(house: House, tmp_path: Path, *, pause: float = 0.002) -> tuple[int, Path]:
    """A run that prints numbered lines until its gate opens."""
    gate = tmp_path / "gate"
    script = f"n=0; while [ ! -e {gate} ]; do n=$((n+1)); echo line $n; sleep {pause}; done; echo the end"
    return house.run(house.script_plan(script)), gate


def console(page: Page) -> Locator:
    return page.get_by_test_id("console")


def lines_of(page: Page) -> int:
    """How many lines the console holds."""
    return int(console(page).get_attribute("data-lines") or 0)


def wait_lines(page: Page, more_than: int) -> None:
    expect(console(page)).to_be_visible()
    wait_for(lambda: lines_of(page) > more_than, f"more than {more_than} lines in the console")


def test_the_sign_in_link_signs_in_once_and_leaves_no_code_behind(home: House, page: Page) -> None:
    """Its second use says what to do; without it, the page shows nothing."""
    page.goto(home.url + "/")
    expect(page).to_have_url(re.compile("/login"))
    expect(page.get_by_text("tailrace login-link")).to_be_visible()
    link = home.post("/api/login-codes", {"next": "/"})["url"]
    page.goto(link)
    expect(page).to_have_url(re.compile("/runs$"))
    assert "code=" not in page.url
    other = page.context.browser
    assert other is not None
    with other.new_context() as context:
        stranger = context.new_page()
        stranger.goto(link)
        expect(stranger.get_by_test_id("sign-in-error")).to_be_visible()


def test_the_list_of_runs_is_live(home: House, page: Page) -> None:
    """A run that starts elsewhere appears, and ends, without a reload; a click opens it."""
    sign_in(home, page)
    run = home.run(home.script_plan("echo hello from the job"))
    row = page.locator(f"[data-testid=run-row][data-run-id='{run}']")
    expect(row).to_have_attribute("data-state", "passed")
    expect(row).to_contain_text("demo")
    row.click()
    expect(page).to_have_url(f"{home.url}/runs/{run}")
    expect(page.get_by_text("hello from the job", exact=True)).to_be_visible()


def test_the_console_tells_streams_apart_and_shows_colours(home: House, page: Page) -> None:
    """stdout, stderr and system lines; ANSI colours as colours, and markup as text."""
    run = home.run(
        home.script_plan(r"printf '\033[31mred\033[0m plain\n'; echo trouble >&2; echo '<b>bold?</b>'")
    )
    home.wait_state(run, "passed")
    sign_in(home, page, f"/runs/{run}")
    red = page.locator("[data-testid=console-line][data-stream=stdout]", has_text="red plain")
    expect(red).to_be_visible()
    colours = red.locator("span").evaluate_all(
        "spans => spans.filter(s => s.textContent === 'red').map(s => getComputedStyle(s).color)"
    )
    plain = red.evaluate("row => getComputedStyle(row).color")
    assert any(colour != plain for colour in colours), colours
    expect(page.locator("[data-testid=console-line][data-stream=stderr]")).to_contain_text("trouble")
    expect(page.locator("[data-testid=console-line][data-stream=system]").first).to_be_visible()
    expect(page.get_by_text("<b>bold?</b>", exact=True)).to_be_visible()


def test_following_stops_when_one_scrolls_up_and_resumes_on_a_button(
    home: House, page: Page, tmp_path: Path
) -> None:
    """The view stays where the person is while lines arrive, and jumps back on demand."""
    run, gate = counting(home, tmp_path)
    sign_in(home, page, f"/runs/{run}")
    wait_lines(page, 200)
    button = page.get_by_test_id("follow-button")
    expect(button).to_be_hidden()
    console(page).hover()
    page.mouse.wheel(0, -1500)
    expect(button).to_be_visible()

    def stays() -> bool:
        first = page.get_by_test_id("console-line").first.get_attribute("data-line")
        wait_lines(page, lines_of(page) + 200)
        return page.get_by_test_id("console-line").first.get_attribute("data-line") == first

    wait_for(stays, "the view to stay where it is, once the browser has scrolled there")
    button.click()
    expect(button).to_be_hidden()
    gate.touch()
    expect(page.get_by_text("the end", exact=True)).to_be_visible()


def test_abort_and_run_again(home: House, page: Page, tmp_path: Path) -> None:
    """The buttons do what they say, and the page shows it without a reload."""
    run, gate = counting(home, tmp_path)
    sign_in(home, page, f"/runs/{run}")
    wait_lines(page, 20)
    page.get_by_test_id("abort-button").click()
    expect(page.get_by_test_id("run-state").first).to_contain_text(re.compile("aborted", re.IGNORECASE))
    page.get_by_test_id("rerun-button").click()
    expect(page).not_to_have_url(f"{home.url}/runs/{run}")
    wait_lines(page, 20)
    gate.touch()
    again, first = home.get("/api/runs", plan=home.show(run)["plan"])["items"]
    assert first["id"] == run
    home.wait_state(again["id"], "passed")


def test_try_again(home: House, page: Page, tmp_path: Path) -> None:
    """A job by itself, and all that failed: in the same run, shown without a reload."""
    job = f"{{checkout: false, steps: [{{run: test -e {tmp_path / 'gate'}}}]}}"
    plan = home.plan(f"jobs: {{a: {job}, b: {job}}}")
    run = home.run(plan)
    home.wait_state(run, "failed")
    sign_in(home, page, f"/runs/{run}")
    page.get_by_test_id("retry-button").click()
    expect(page.get_by_label("Attempts")).to_have_value("2")
    home.wait_state(run, "failed")
    (tmp_path / "gate").touch()
    page.get_by_test_id("retry-failed-button").click()
    expect(page.get_by_test_id("run-state").first).to_contain_text(re.compile("passed", re.IGNORECASE))
    expect(page.get_by_test_id("retry-failed-button")).to_be_hidden()
    expect(page.get_by_test_id("retry-button")).to_be_hidden()
    assert [len(job["attempts"]) for job in home.show(run)["jobs"]] == [3, 2]


def test_a_server_restart_loses_no_line_and_doubles_none(house: House, page: Page, tmp_path: Path) -> None:
    """kill -9 of the server while the page watches: it says so, comes back by itself, and has each line once."""
    server = house.server()
    house.agent()
    run, gate = counting(house, tmp_path, pause=0.01)
    sign_in(house, page, f"/runs/{run}")
    wait_lines(page, 50)
    page.evaluate("() => { window.stillHere = true }")
    server.kill()
    expect(page.get_by_test_id("connection-bar")).to_be_visible()
    house.server()
    expect(page.get_by_test_id("connection-bar")).to_be_hidden()
    wait_lines(page, lines_of(page) + 50)
    gate.touch()
    house.wait_state(run, "passed")
    log = house.wait_log(run)["log"]
    whole = house.output(log, None)
    expect(console(page)).to_have_attribute("data-offset", str(len(whole)))
    expect(console(page)).to_have_attribute("data-lines", str(whole.count(b"\n")))
    expect(page.get_by_test_id("run-state").first).to_contain_text(re.compile("passed", re.IGNORECASE))
    assert page.evaluate("() => window.stillHere") is True, "it was not reloaded"
    ends = whole.decode().splitlines()[-10:]
    texts = page.get_by_test_id("console-line").locator(".text")
    wait_for(lambda: texts.all_inner_texts()[-10:] == ends, "the last lines to be what the log ends with")


def test_a_project_and_a_plan_are_made_in_the_page(house: House, page: Page) -> None:
    """The fault of a plan is shown with its place; the plan that is right can be run."""
    house.up()
    sign_in(house, page, "/plans")
    page.get_by_test_id("add-project").click()
    form = page.get_by_test_id("project-form")
    form.get_by_label("Name").fill("shop")
    form.get_by_label("Repository").fill("/srv/shop.git")
    form.get_by_role("button", name=re.compile("add", re.IGNORECASE)).click()
    page.get_by_test_id("add-plan").click()
    form = page.get_by_test_id("plan-form")
    form.get_by_label("Name").fill("greet")
    form.locator("textarea").fill("jobs:\n  hello:\n    stepz: []\n")
    form.locator("button[type=submit]").click()
    expect(page.get_by_test_id("definition-errors")).to_contain_text("3")
    form.locator("textarea").fill(
        "jobs:\n  hello:\n    checkout: false\n    steps: [{run: echo good morning}]\n"
    )
    form.locator("button[type=submit]").click()
    page.get_by_test_id("run-plan").click()
    expect(page.get_by_text("good morning", exact=True)).to_be_visible()


def test_a_job_that_waits_says_why(home: House, page: Page) -> None:
    """Not only that nothing has come yet."""
    run = home.run(home.script_plan("true", labels=["mars"]))
    sign_in(home, page, f"/runs/{run}")
    expect(page.get_by_test_id("not-begun")).to_contain_text("no agent has label mars")
    home.post(f"/api/runs/{run}/abort")


def test_a_job_shows_what_it_gave_to_others(home: House, page: Page) -> None:
    """Its outputs by name; a long one is cut, and of many there are the first."""
    many = ", ".join(f"k{n}: '{n}'" for n in range(30))
    value = "x" * 300
    plan = home.plan(
        f"jobs: {{a: {{checkout: false, outputs: {{long: {value}, {many}}}, steps: [{{run: 'true'}}]}}}}"
    )
    run = home.run(plan)
    shown = home.wait_state(run, "passed")
    assert len(shown["jobs"][0]["attempts"][0]["outputs"]) == 31
    assert shown["jobs"][0]["attempts"][0]["outputs"]["long"] == value
    sign_in(home, page, f"/runs/{run}")
    outputs = page.get_by_test_id("job-outputs").locator("dd")
    expect(outputs).to_have_text(["x" * 200 + "…", *map(str, range(19))])


def test_the_page_speaks_chinese(home: House, page: Page) -> None:
    """By the switch, and remembered."""
    sign_in(home, page)
    run = home.run(home.script_plan("true"))
    home.wait_state(run, "passed")
    state = page.locator(f"[data-testid=run-row][data-run-id='{run}']").get_by_test_id("run-state")
    page.get_by_role("combobox", name=re.compile("language", re.IGNORECASE)).select_option("zh-CN")
    expect(state).to_contain_text("通过")
    page.reload()
    expect(state).to_contain_text("通过")


def test_what_waits_for_a_person_is_decided_in_the_page(home: House, page: Page) -> None:
    """The job goes on at once, and nobody is asked any more; who reads of it finds the reason."""
    project = home.project()
    home.post("/api/environments", {"project": project, "name": "production"})
    run = home.run(home.script_plan("echo deployed", project=project, environment="production"))
    sign_in(home, page, f"/runs/{run}")
    asked = page.get_by_test_id("approvals")
    expect(asked).to_contain_text("environment production")
    asked.get_by_test_id("approval-why").fill("reviewed")
    asked.get_by_test_id("approve-button").click()
    expect(asked).to_be_hidden()
    home.wait_state(run, "passed")
    expect(page.get_by_text("deployed", exact=True)).to_be_visible()
    (decided,) = home.get("/api/approvals", run=run)["items"]
    assert (decided["state"], decided["why"]) == ("approved", "reviewed")
