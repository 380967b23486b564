"""Artifacts through real processes: kept by one job, fetched by another, downloaded, and what dies in between."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from tailrace.domain.artifacts import upload_claim
from tailrace.store.sealing import SealingKey
from tests.integration.test_commands import tailrace
from tests.support.house import ADMIN_TOKEN, House
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


def test_commands_list_and_get_artifacts(
    home: House, built: tuple[int, dict[str, dict[str, Any]]], tmp_path: Path
) -> None:
    """By run and job, all or by pattern, as files or as a zip; a folder that is a link is not written through."""
    run = str(built[0])
    listed = json.loads(tailrace(home, "artifacts", "list", f"{run}/build", "--json").stdout)
    assert [one["path"] for one in listed] == sorted(built[1])
    done = tailrace(home, "artifacts", "get", run, "dist/**", "!dist/big.txt", "--to", str(tmp_path / "got"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "got" / "dist" / "deep" / "data.bin").read_text() == "deep"
    assert (tmp_path / "got" / "dist" / "tool").stat().st_mode & 0o111
    assert not (tmp_path / "got" / "dist" / "big.txt").exists()
    told = tailrace(home, "artifacts", "get", run, "dist/app.whl", "--to", str(tmp_path / "got"), "--json")
    (whl,) = json.loads(told.stdout)
    assert (whl["path"], whl["file"]) == ("dist/app.whl", str(tmp_path / "got/dist/app.whl"))
    assert tailrace(home, "artifacts", "get", run, "--zip", str(tmp_path / "all.zip")).returncode == 0
    zipped = tailrace(home, "artifacts", "get", run, "--zip", str(tmp_path / "all.zip"), "--json")
    assert json.loads(zipped.stdout) == [{"file": str(tmp_path / "all.zip")}]
    assert tailrace(home, "artifacts", "get", run, "--zip", "-", "--json").returncode == 2
    with zipfile.ZipFile(tmp_path / "all.zip") as whole:
        assert len(whole.namelist()) == 6
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "trap").mkdir()
    (tmp_path / "trap" / "dist").symlink_to(outside)
    trapped = tailrace(home, "artifacts", "get", run, "dist/app.whl", "--to", str(tmp_path / "trap"))
    assert trapped.returncode == 2
    assert "link" in trapped.stderr
    assert list(outside.iterdir()) == []
    assert tailrace(home, "artifacts", "get", run, "nothing/*").returncode == 2


def job_plan(steps: list[Any], **job: Any) -> str:
    return yaml.safe_dump({"jobs": {"job": {"checkout": False, "steps": steps, **job}}})


def test_a_step_that_finds_nothing_fails_unless_it_may(home: House) -> None:
    """The reason says so; what is optional passes, and says so in the log."""
    run = home.run(home.plan(job_plan([{"artifacts": ["dist/*.whl"]}])))
    shown = home.wait_state(run, "failed")
    assert shown["reason"] == "artifacts.missing"
    assert "no file matches dist/*.whl" in shown["detail"]
    run = home.run(home.plan(job_plan([{"artifacts": {"paths": "dist/*.whl", "optional": True}}])))
    home.wait_state(run, "passed")
    assert b"nothing to keep" in home.output(home.wait_log(run)["log"], "system")


def test_the_artifacts_of_all_jobs_of_a_matrix_come_into_a_folder_each(home: House) -> None:
    """Called like the job, whatever its values hold."""
    run = home.run(
        home.plan(
            """
jobs:
  build:
    matrix: {os: [debian/12, "what?"]}
    checkout: false
    steps:
      - run: mkdir dist; echo "$TAILRACE_MATRIX_OS" > dist/name
      - artifacts: dist
  use:
    needs: build
    checkout: false
    steps:
      - artifacts: {from: build, to: got}
      - run: find got -type f | sort; cat got/*/dist/name got/*/*/dist/name
"""
        )
    )
    home.wait_state(run, "passed")
    output = home.output(home.wait_log(run, job=2)["log"]).decode()
    assert output.splitlines() == [
        "got/build (debian/12)/dist/name",
        "got/build (what?)/dist/name",
        "what?",
        "debian/12",
    ]


def test_a_report_is_kept_after_a_failure(home: House) -> None:
    """By its condition, and in `finally`; the job has failed all the same."""
    steps = [{"run": "echo x > report; echo x > last; exit 3"}, {"artifacts": "report", "if": "always"}]
    run = home.run(home.plan(job_plan(steps, **{"finally": [{"artifacts": "last"}]})))
    assert home.wait_state(run, "failed")["reason"] == "exit_code"
    assert sorted(artifacts_of(home, run)) == ["last", "report"]


def test_what_is_fetched_is_written_through_no_link(home: House, tmp_path: Path) -> None:
    """A step before can leave a link where artifacts are to go: they do not go through it."""
    definition = {
        "jobs": {
            "build": {
                "checkout": False,
                "steps": [{"run": "mkdir d; echo new > d/file"}, {"artifacts": ["d"]}],
            },
            "use": {
                "checkout": False,
                "needs": ["build"],
                "steps": [{"run": f"ln -s {tmp_path} d"}, {"artifacts": {"from": "build"}}],
            },
        }
    }
    run = home.run(home.plan(yaml.safe_dump(definition)))
    shown = home.wait_state(run, "failed")
    assert shown["reason"] == "artifacts.unreadable"
    assert "link" in shown["detail"]
    assert list(tmp_path.iterdir()) == []


def test_a_token_is_good_for_its_attempt_while_it_runs(home: House) -> None:
    """Another token, and an attempt that has ended, are refused; whoever asks learns nothing of attempts."""
    run = home.run(home.plan(job_plan([{"run": "echo x > f"}, {"artifacts": ["f"]}])))
    home.wait_state(run, "passed")
    attempt = home.attempt(run)["id"]
    with httpx2.Client(base_url=home.url) as stranger:
        for number in (attempt, 10**9):
            for headers in (
                {},
                {"Authorization": "Bearer " + "0" * 64},
                {"Authorization": f"Bearer {ADMIN_TOKEN}"},
            ):
                answer = stranger.post(f"/agent/v1/artifacts/{number}", headers=headers, json={"files": []})
                assert answer.status_code == 401
            assert stranger.put(f"/agent/v1/artifacts/{number}/1", content=b"x").status_code == 401


def test_a_run_waits_for_a_server_that_was_killed_while_it_kept_something(
    house: House, tmp_path: Path
) -> None:
    """The runner tries again by itself, agent or no agent; every byte arrives, and the job passes."""
    server, agent = house.server(), house.agent()
    house.wait_agent()
    gate = tmp_path / "gate"
    script = (
        f"head -c 50000000 /dev/urandom > big; sha256sum < big; until test -e {gate}; do sleep 0.01; done"
    )
    run = house.run(house.plan(job_plan([{"run": script}, {"artifacts": ["big"]}])))
    house.wait_state(run, "running")
    house.wait_output(run, b"  -\n")
    agent.kill()
    server.kill()
    gate.touch()
    (spool,) = (house.data / "agent" / "attempts").glob("*/spool")
    wait_for(lambda: b"does not answer" in spool.read_bytes(), "the runner to miss the server")
    house.server()
    wait_for(lambda: b"kept 1 file" in spool.read_bytes(), "the file to be kept without an agent")
    house.agent()
    house.wait_state(run, "passed")
    wanted = house.output(house.wait_log(run)["log"]).split()[0].decode()
    (kept,) = artifacts_of(house, run).values()
    assert kept["sha256"] == wanted
    assert hashlib.sha256(house.client.get(f"/api/artifacts/{kept['id']}").content).hexdigest() == wanted


def test_a_job_waits_for_an_archive_that_is_away_and_can_be_aborted_meanwhile(house: House) -> None:
    """Nothing is lost by a folder that is not mounted; an abort does not wait for it."""
    house.up()
    mark = house.data / "archive" / "tailrace-archive"
    wait_for(mark.exists, "the archive")
    mark.rename(mark.with_name("elsewhere"))
    plan = house.plan(job_plan([{"run": "echo x > f"}, {"artifacts": ["f"]}]))
    waits, aborted = house.run(plan), house.run(plan)
    for run in (waits, aborted):
        house.wait_state(run, "running")
        wait_for(
            lambda run=run: b"trying again" in house.output(house.attempt(run)["log"], "system"), "it to wait"
        )
    house.post(f"/api/runs/{aborted}/abort")
    house.wait_state(aborted, "aborted")
    assert artifacts_of(house, waits) == {}
    mark.with_name("elsewhere").rename(mark)
    house.wait_state(waits, "passed")
    assert list(artifacts_of(house, waits)) == ["f"]


def test_bytes_that_are_not_what_was_announced_are_refused(home: House, tmp_path: Path) -> None:
    """Fewer, more, others: none is kept, whatever the token. What was announced is kept once."""
    gate = tmp_path / "gate"
    run = home.run(
        home.plan(job_plan([{"run": f"until test -e {gate}; do sleep 0.01; done"}, {"artifacts": ["f"]}]))
    )
    home.wait_state(run, "running")
    id = home.attempt(run)["id"]
    lease = next(
        json.loads(path.read_text()) for path in (home.data / "agent" / "attempts").glob(f"{id}-*/lease.json")
    )
    key = SealingKey(bytes.fromhex((home.data / "secret-key").read_text().strip()))
    (agent,) = home.get("/api/agents")["items"]
    token = key.sign(upload_claim(id, lease["cookie"], agent["id"]))
    path = f"/agent/v1/artifacts/{id}"
    with httpx2.Client(base_url=home.url, headers={"Authorization": f"Bearer {token}"}) as runner:
        file = {"path": "x", "size": 5, "sha256": hashlib.sha256(b"right").hexdigest()}
        for bad in ({"path": "../x"}, {"path": "/x"}, {"size": -1}, {"sha256": "no"}):
            answer = runner.post(path, json={"files": [file | bad]})
            assert (answer.status_code, "cannot be understood" in answer.text) == (400, True)
        (kept,) = runner.post(path, json={"files": [file]}).json()["files"]
        for body in (b"", b"righ", b"wrong", b"right and more"):
            assert runner.put(f"{path}/{kept['id']}", content=body).status_code == 422
        assert artifacts_of(home, run) == {}
        assert runner.put(f"{path}/{kept['id']}", content=b"right").status_code == 204
        assert runner.put(f"{path}/{kept['id']}", content=b"right").status_code == 204
        assert runner.put(f"{path}/{10**6}", content=b"x").status_code == 404
        assert runner.get(f"{path}/of/other").status_code == 404
        assert list(artifacts_of(home, run)) == ["x"]
        assert len(list((home.data / "archive" / "artifacts" / str(run)).iterdir())) == 1
        home.post(f"/api/runs/{run}/abort")
        home.wait_state(run, "aborted")
        assert runner.post(path, json={"files": []}).status_code == 409


def test_an_artifact_that_is_damaged_in_the_archive_is_given_to_nobody(home: House, tmp_path: Path) -> None:
    """A download breaks off before its end, a zip too, and a job that fetches it fails and says why."""
    gate = tmp_path / "gate"
    definition = {
        "jobs": {
            "build": {
                "checkout": False,
                "steps": [{"run": "head -c 2000000 /dev/zero > f"}, {"artifacts": ["f"]}],
            },
            "use": {
                "checkout": False,
                "needs": ["build"],
                "steps": [
                    {"run": f"echo ready; until test -e {gate}; do sleep 0.01; done"},
                    {"artifacts": {"from": "build"}},
                ],
            },
        }
    }
    run = home.run(home.plan(yaml.safe_dump(definition)))
    home.wait_output(run, b"ready", job=1)
    (kept,) = artifacts_of(home, run).values()
    (file,) = (home.data / "archive" / "artifacts" / str(run)).iterdir()
    file.write_bytes(b"x" + file.read_bytes()[1:])
    gate.touch()
    shown = home.wait_state(run, "failed")
    assert shown["reason"] == "artifacts.damaged"
    for path in (f"/api/artifacts/{kept['id']}", f"/api/runs/{run}/artifacts.zip"):
        with pytest.raises(httpx2.HTTPError):
            home.client.get(path)
    file.unlink()
    assert "missing" in home.client.get(f"/api/artifacts/{kept['id']}").json()["detail"]


def test_retention_limits_and_removal(tmp_path: Path) -> None:
    """What a plan keeps for a time, and what the settings allow; a removed artifact says why, and its object goes."""
    with House(tmp_path, TAILRACE_ARTIFACT_LIMIT="1MiB") as house:
        house.up()
        steps = [
            {"run": "echo short > short; echo long > long"},
            {"artifacts": {"paths": "short", "keep": "1s"}},
            {"artifacts": {"paths": "long", "keep": "30d"}},
        ]
        run = house.run(house.plan(job_plan(steps)))
        house.wait_state(run, "passed")
        kept = artifacts_of(house, run)
        folder = house.data / "archive" / "artifacts" / str(run)
        assert len(list(folder.iterdir())) == 2
        taken = wait_for(
            lambda: house.post("/api/retention", {"dry_run": True})["artifacts"], "the second to be over"
        )
        assert [one["path"] for one in taken] == ["short"]
        house.post("/api/retention", {"dry_run": False})
        gone = house.client.get(f"/api/artifacts/{kept['short']['id']}")
        assert gone.status_code == 410
        assert "its plan keeps it" in gone.json()["detail"]
        assert list(artifacts_of(house, run)) == ["long"]
        assert house.client.delete(f"/api/artifacts/{kept['long']['id']}").status_code == 204
        assert "removed by admin" in house.client.get(f"/api/artifacts/{kept['long']['id']}").json()["detail"]
        wait_for(lambda: not list(folder.iterdir()), "the objects to go")
        large = house.run(house.plan(job_plan([{"run": "head -c 2M /dev/zero > f"}, {"artifacts": ["f"]}])))
        assert house.wait_state(large, "failed")["reason"] == "artifacts.too_large"
