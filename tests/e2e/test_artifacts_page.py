"""Artifacts in the page: listed, downloaded, and shown in place as a stranger."""

from __future__ import annotations

import zipfile
from pathlib import Path

import yaml
from playwright.sync_api import Page, expect

from tests.e2e.test_page import sign_in
from tests.support.house import House

HTML = '<link rel=stylesheet href=style.css><p id=out>waits</p><script type=module src="js/main.js"></script>'
SCRIPT = """
const said = [window.origin];
try { said.push("cookie " + document.cookie); } catch { said.push("no cookie"); }
try { localStorage.x = 1; said.push("storage"); } catch { said.push("no storage"); }
const call = (url, wish) => fetch(url, wish).then((a) => a.status, () => "no answer");
said.push("session " + (await call("/api/session", { credentials: "include" })));
said.push("delete " + (await call("/api/artifacts/1", { method: "DELETE", credentials: "include" })));
said.push("data " + (await (await fetch("data.json")).json()).x);
said.push("opened " + (window.open("/runs") !== null));
document.getElementById("out").textContent = said.join(", ");
"""


def test_a_run_shows_what_it_kept_and_html_is_a_stranger(home: House, page: Page, tmp_path: Path) -> None:
    """A page that a job wrote runs with its own files, and without cookie, storage, API and other pages."""
    write = f"""
mkdir -p report/js dist
cat > report/index.html <<'END'
{HTML}
END
cat > report/js/main.js <<'END'
{SCRIPT}
END
echo 'p {{ color: rgb(1, 2, 3) }}' > report/style.css
echo '{{"x": 7}}' > report/data.json
echo wheel > dist/app.whl
"""
    steps = [{"run": write}, {"artifacts": ["report", "dist"]}]
    run = home.run(home.plan(yaml.safe_dump({"jobs": {"build": {"checkout": False, "steps": steps}}})))
    home.wait_state(run, "passed")
    sign_in(home, page, f"/runs/{run}")
    page.get_by_test_id("artifacts").locator("summary").click()
    rows = page.get_by_test_id("artifact")
    expect(rows).to_have_count(5)

    with page.expect_popup() as popup:
        page.locator('[data-path="report/index.html"] .path').click()
    shown = popup.value
    out = shown.locator("#out")
    expect(out).to_have_text(
        "null, no cookie, no storage, session no answer, delete no answer, data 7, opened false"
    )
    expect(out).to_have_css("color", "rgb(1, 2, 3)")
    assert len(home.get(f"/api/runs/{run}/artifacts")["items"]) == 5

    with page.expect_download() as download:
        page.locator('[data-path="dist/app.whl"] .path').click()
    assert download.value.suggested_filename == "app.whl"
    assert download.value.path().read_text() == "wheel\n"
    with page.expect_download() as download:
        page.get_by_test_id("artifacts-zip").click()
    with zipfile.ZipFile(download.value.path()) as whole:
        assert whole.read("build/dist/app.whl") == b"wheel\n"
