"""Artifacts through real processes: kept by one job, fetched by another, downloaded, and what dies in between."""

from __future__ import annotations

import hashlib
import io
import signal
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.house import House
from tests.support.waiting import wait_for

BUILD = """
mkdir -p dist/deep reports
printf wheel > dist/app.whl
printf deep > dist/deep/data.bin
python3 -c "print(end='x' * 3000000)" > dist/big.txt
printf '#!/bin/sh\\necho tool ran' > dist/tool; chmod +x dist/tool
printf '<link rel=stylesheet href=style.css><script src=s.js></script>' > reports/index.html
printf 'body {}' > reports/style.css
mkdir $TMPDIR/out; echo private > $TMPDIR/out/file; ln -s $TMPDIR/out/file dist/outside
ln -s $TMPDIR/out dist/outside-folder
"""
PLAN = f"""
jobs:
  build:
    checkout: false
    steps:
      - run: |
{"".join(f"          {line}{chr(10)}" for line in BUILD.strip().splitlines())}
      - artifacts: [dist, "reports/*"]
      - run: echo after
  use:
    checkout: false
    needs: [build]
    steps:
      - artifacts: {{from: build, paths: ["dist/**"], to: got}}
      - run: |
          find got | sort
          ./got/dist/tool
          sha256sum got/dist/big.txt
"""


def artifacts_of(house: House, run: int) -> dict[str, dict[str, Any]]:
    return {one["path"]: one for one in house.get(f"/api/runs/{run}/artifacts")["items"]}


@pytest.fixture(scope="module")
def built(home: House) -> tuple[int, dict[str, dict[str, Any]]]:
    """A run that has passed, and its artifacts by path."""
    run = home.run(home.plan(PLAN))
    home.wait_state(run, "passed")
    return run, artifacts_of(home, run)


def test_what_a_job_kept_is_listed_and_downloaded_as_it_was(
    home: House, built: tuple[int, dict[str, dict[str, Any]]]
) -> None:
    """Plain files that the patterns mean, no link, nothing from outside; the bytes are those of the workspace."""
    run, kept = built
    assert sorted(kept) == [
        "dist/app.whl", "dist/big.txt", "dist/deep/data.bin", "dist/tool", "reports/index.html",
        "reports/style.css",
    ]  # fmt: skip
    big = home.client.get(f"/api/artifacts/{kept['dist/big.txt']['id']}")
    assert big.content == b"x" * 3_000_000
    assert hashlib.sha256(big.content).hexdigest() == kept["dist/big.txt"]["sha256"]
    assert big.headers["content-disposition"].startswith("attachment")
    assert kept["dist/tool"]["executable"]
    assert home.show(run)["jobs"][0]["artifacts"] == 6
    log = home.output(home.wait_log(run)["log"], "system").decode()
    assert "left out: 'dist/outside' is a link" in log
    assert "kept 6 files" in log


def test_a_job_that_needs_another_gets_its_artifacts(
    home: House, built: tuple[int, dict[str, dict[str, Any]]]
) -> None:
    """Below the folder that its plan names, with the same bytes, and executable where they were."""
    output = home.output(home.wait_log(built[0], job=1)["log"]).decode()
    assert "got/dist/deep/data.bin" in output
    assert "reports" not in output
    assert "tool ran" in output
    assert hashlib.sha256(b"x" * 3_000_000).hexdigest() in output


def test_ranges_and_conditions(home: House, built: tuple[int, dict[str, dict[str, Any]]]) -> None:
    """A range is cut out of the archive's object; who has the file is not sent it again."""
    path = f"/api/artifacts/{built[1]['dist/app.whl']['id']}"
    part = home.client.get(path, headers={"Range": "bytes=1-2"})
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"he", "bytes 1-2/5")
    assert home.client.get(path, headers={"Range": "bytes=9-"}).status_code == 416
    tag = part.headers["etag"]
    assert home.client.get(path, headers={"If-None-Match": tag}).status_code == 304
    head = home.client.head(path)
    assert (head.content, head.headers["content-length"]) == (b"", "5")


def test_a_zip_holds_what_the_jobs_kept(home: House, built: tuple[int, dict[str, dict[str, Any]]]) -> None:
    """Of a run in a folder for each job, of a job without; programs stay executable."""
    answer = home.client.get(f"/api/runs/{built[0]}/artifacts.zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as whole:
        assert whole.testzip() is None
        assert whole.read("build/dist/big.txt") == b"x" * 3_000_000
        assert whole.getinfo("build/dist/tool").external_attr >> 16 & 0o111
    answer = home.client.get(f"/api/runs/{built[0]}/artifacts.zip", params={"job": "build"})
    with zipfile.ZipFile(io.BytesIO(answer.content)) as one:
        assert "dist/app.whl" in one.namelist()
    assert home.client.get(f"/api/runs/{built[0]}/artifacts.zip?job=use").status_code == 404


def test_html_is_shown_in_place_without_an_origin_and_without_a_session(
    home: House, built: tuple[int, dict[str, dict[str, Any]]]
) -> None:
    """The address needs no cookie, is good for one attempt's files alone, and every answer is sandboxed."""
    answer = home.client.get(f"/api/artifacts/{built[1]['reports/index.html']['id']}/view")
    address = answer.headers["location"]
    assert answer.status_code == 307
    import httpx2

    with httpx2.Client(base_url=home.url) as stranger:
        shown = stranger.get(address)
        assert shown.headers["content-type"] == "text/html; charset=utf-8"
        assert shown.headers["content-security-policy"].startswith("sandbox allow-scripts;")
        assert "set-cookie" not in shown.headers
        assert shown.headers["x-content-type-options"] == "nosniff"
        assert stranger.get(address.replace("index.html", "style.css")).text == "body {}"
        assert stranger.get(address.replace("index.html", "")).text == shown.text, "index.html of a folder"
        assert stranger.get(address.replace("reports/index.html", "nothing")).status_code == 404
        attempt, until, signature = address.split("/")[2].split("-")
        for token in (
            f"{int(attempt) + 1}-{until}-{signature}",
            f"{attempt}-{int(until) + 1}-{signature}",
            f"{attempt}-{until}-{'0' * 64}",
            "none",
        ):
            assert stranger.get(f"/artifacts/{token}/reports/index.html").status_code == 401
        assert stranger.get(f"/api/artifacts/{built[1]['reports/index.html']['id']}").status_code == 401
