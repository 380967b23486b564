"""A real headless Chromium in front of a real Tailrace."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.services import require
from tests.support.house import House

PATIENCE_MS = 60_000
"""A backstop, as in `wait_for`: by themselves expectations wait for five seconds, which a busy machine may take."""
expect.set_options(timeout=PATIENCE_MS)

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    """A Chromium for a file's tests: while one is open, its thread counts as one with a running loop, which breaks others."""
    chromium = require("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Generator[Page]:
    """A window of a person whom nobody knows; an error of the page's own fails the test."""
    context = browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert not errors, errors


@pytest.fixture
def house(tmp_path: Path) -> Generator[House]:
    """A house in which nothing runs yet."""
    with House(tmp_path) as house:
        yield house
