"""The commands, as a shell sees them: what they print, where, and their exit status."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_restarts import counting_run
from tests.support.house import House
from tests.support.waiting import wait_for


def tailrace(house: House, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    """A command, run to its end."""
    return subprocess.run(
        [sys.executable, "-m", "tailrace", *arguments],
        env={**os.environ, **house.environment},
        input=given,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_run_follow_shows_both_streams_and_exits_as_the_job(home: House) -> None:
    """stdout to stdout, stderr and system text to stderr, the job's exit status as its own."""
    plan = home.script_plan("echo to stdout; echo 'to stderr 水' >&2; exit 7")
    done = tailrace(home, "run", str(plan), "--follow")
    assert done.returncode == 7
    assert done.stdout == "to stdout\n"
    assert "to stderr 水\n" in done.stderr
    assert "failed" in done.stderr
    passed = tailrace(home, "run", str(home.script_plan("echo fine")), "-f")
    assert (passed.returncode, passed.stdout) == (0, "fine\n")


def test_run_follow_tells_several_jobs_apart(home: House) -> None:
    """Each line names its job."""
    plan = home.plan(
        "jobs: {one: {checkout: false, steps: [{run: echo first}]},"
        " two: {checkout: false, needs: [one], steps: [{run: printf second}]}}"
    )
    done = tailrace(home, "run", str(plan), "--follow")
    assert done.returncode == 0
    assert {"one | first", "two | second"} & set(done.stdout.splitlines()) >= {"two | second"}


def test_a_slow_terminal_misses_nothing(home: House, tmp_path: Path) -> None:
    """A follower that had kept up and then does not read for a while is not skipped forward, as a browser is."""
    gate = tmp_path / "gate"
    script = f"echo begun; until test -e {gate}; do sleep 0.01; done; head -c 16000000 /dev/zero | tr '\\0' 'x' | fold -w 99"
    plan = home.script_plan(script)
    follower = subprocess.Popen(
        [sys.executable, "-m", "tailrace", "run", str(plan), "--follow"],
        env={**os.environ, **home.environment},
        stdout=subprocess.PIPE,
    )
    assert follower.stdout is not None
    begun = follower.stdout.readline()
    gate.touch()
    run = home.get("/api/runs", plan=plan)["items"][0]["id"]
    log = home.wait_log(run)["log"]
    output = begun + follower.stdout.read()
    assert follower.wait(60) == 0
    assert output == home.output(log)


def test_follow_survives_a_restart_of_the_server(house: House, tmp_path: Path) -> None:
    """It resumes at its offset: no byte twice, none missing."""
    server = house.server()
    house.agent()
    run, gate, kept = counting_run(house, tmp_path)
    output = tmp_path / "followed"
    with output.open("wb") as file:
        follower = subprocess.Popen(
            [sys.executable, "-m", "tailrace", "logs", str(run), "--follow", "--raw"],
            env={**os.environ, **house.environment},
            stdout=file,
            stderr=subprocess.DEVNULL,
        )
    wait_for(lambda: b"line 50 " in output.read_bytes(), "the follower to show lines")
    server.kill()
    house.server()
    gate.touch()
    assert follower.wait(60) == 0
    assert output.read_bytes() == kept.read_bytes()


def test_an_aborted_run_exits_with_130(home: House) -> None:
    """As after Ctrl-C in a shell."""
    run = home.run(home.script_plan("echo on; sleep 600"))
    home.wait_output(run, b"on")
    assert tailrace(home, "abort", str(run)).returncode == 0
    assert tailrace(home, "logs", str(run), "-f", "--exit-status").returncode == 130


def test_projects_and_plans_are_made_and_listed(home: House) -> None:
    """Secrets and definitions come on standard input; lists are JSON on demand."""
    added = tailrace(
        home, "project", "add", "cli-shop", "/srv/shop.git", "--webhook-secret", "-", given="a-long-secret\n"
    )
    assert added.returncode == 0, added.stderr
    projects = json.loads(tailrace(home, "project", "list", "--json").stdout)
    (shop,) = (project for project in projects if project["name"] == "cli-shop")
    assert shop["has_webhook_secret"]
    assert added.stdout.strip() == str(shop["id"])
    definition = "jobs: {greet: {checkout: false, steps: [{run: echo good day}]}}"
    assert tailrace(home, "plan", "add", "cli-shop", "greet", "-", given=definition).returncode == 0
    assert tailrace(home, "run", "cli-shop/greet", "--follow").stdout == "good day\n"
    assert "cli-shop" in tailrace(home, "plan", "list").stdout
    assert tailrace(home, "project", "remove", "cli-shop").returncode == 0


def test_runs_are_named_as_logs_and_pages_name_them(home: House) -> None:
    """PROJECT#NUMBER; and what names none says what does."""
    project = home.project("named")
    run = home.run(home.script_plan("true", project=project))
    home.wait_state(run, "passed")
    again = json.loads(tailrace(home, "rerun", "named#1", "--json").stdout)
    assert (again["project_name"], again["number"]) == ("named", 2)
    home.wait_state(again["id"], "passed")
    ended = tailrace(home, "abort", "named#2")
    assert (ended.returncode, f"run {again['id']} is passed" in ended.stderr) == (2, True), ended.stderr
    wrong = tailrace(home, "abort", "named")
    assert (wrong.returncode, wrong.stderr) == (
        2,
        "tailrace: 'named' names no run: expected an id, or PROJECT#NUMBER\n",
    )
    assert "project named has no run 99" in tailrace(home, "rerun", "named#99").stderr


def test_who_renames_a_project_is_told_what_has_its_old_name(home: House) -> None:
    project = home.project("old-name")
    done = tailrace(home, "project", "edit", "old-name", "--name", "new-name")
    assert done.returncode == 0
    assert "webhooks sent to /hooks/…/old-name and badges" in done.stderr
    assert f"(/hooks/…/{project})" in done.stderr
    assert tailrace(home, "project", "edit", "new-name", "--repository", "/srv/x").stderr == ""


@pytest.mark.parametrize(
    "words", [("runs",), ("delivery", "list"), ("approvals", "list"), ("notify", "list")]
)
def test_a_list_of_none_is_refused(house: House, words: tuple[str, ...]) -> None:
    """It would look like there were none."""
    for limit in ("0", "-3"):
        wrong = tailrace(house, *words, "--limit", limit)
        assert (wrong.returncode, "--limit" in wrong.stderr) == (2, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("notify", "list-rules"), "there is no command 'notify list-rules' (did you mean"),
        (("agents", "xyz"), "there is no command 'agents xyz'; allowed: list, show,"),
    ],
)
def test_a_groups_command_that_there_is_not_is_named(house: House, words: tuple[str, ...], said: str) -> None:
    """Also where the group does something by itself."""
    wrong = tailrace(house, *words)
    assert wrong.returncode == 2
    assert said in wrong.stderr


def test_a_plan_file_is_checked_without_a_server(house: House) -> None:
    """Every fault with its place; exit status 1."""
    wrong = tailrace(house, "plan", "check", "-", given="jobs:\n  a:\n    stepz: 1\n")
    assert wrong.returncode == 1
    assert "-:3:5: " in wrong.stderr
    assert tailrace(house, "plan", "check", str(Path(__file__).parents[2] / ".tailrace.yml")).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["up", "--listen", "nonsense"], "listen (TAILRACE_LISTEN): expected HOST:PORT"),
        (["server", "--database-url", "mysql://x"], "sqlite:///FILE and postgresql://"),
    ],
)
def test_settings_that_cannot_be_are_named_at_the_start(
    house: House, arguments: list[str], words: str
) -> None:
    """Exit status 2, one clear line, no traceback."""
    done = tailrace(house, *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_named(home: House, house: House) -> None:
    """What to do is said."""
    done = tailrace(house, "server", "--listen", f"127.0.0.1:{home.port}")
    assert done.returncode == 2
    assert "cannot be used" in done.stderr


def test_a_server_that_is_not_there_is_named(house: House) -> None:
    """Exit status 2, the address, no traceback."""
    done = tailrace(house, "runs")
    assert done.returncode == 2
    assert house.url in done.stderr
    assert "Traceback" not in done.stderr


def test_up_registers_a_checkout_and_runs_its_plan(house: House, tmp_path: Path) -> None:
    """What `make run` does: the link leads to the run."""
    from tests.integration.test_runs import make_repository

    repository = tmp_path / "checkout"
    make_repository(repository, {".tailrace.yml": 'jobs: {look: {steps: [{run: "ls"}]}}', "a-file": ""})
    up = house.up("--project", str(repository))
    wait_for(lambda: "Tailrace is ready: " in up.messages(), "the link")
    (run,) = house.get("/api/runs")["items"]
    assert f"&next=/runs/{run['id']}" in up.messages()
    house.wait_state(run["id"], "passed")
    assert b"a-file\n" in house.output(house.wait_log(run["id"])["log"], "stdout")
    up.send(signal.SIGTERM)
    assert up.wait() == 0
    again = house.up("--project", str(repository))
    wait_for(lambda: "Tailrace is ready: " in again.messages(), "the link")
    assert len(house.get("/api/projects")["items"]) == 1
    assert len(house.get("/api/plans")["items"]) == 1


def test_the_shell_completes_commands_and_flags(house: House) -> None:
    """By the script that the program prints."""
    script = tailrace(house, "completion", "bash").stdout
    asked = "COMP_WORDS=(tailrace logs --fol); COMP_CWORD=2; _tailrace; echo ${COMPREPLY[@]}"
    done = subprocess.run(["bash", "-c", f"{script}\n{asked}"], capture_output=True, text=True, check=True)
    assert done.stdout == "--follow\n"


def test_lists_are_whole_and_what_is_behind_is_found(house: House) -> None:
    """More projects than a page holds; with --limit as many as that says."""
    house.server()
    for number in range(503):
        house.post("/api/projects", {"name": f"p{number}", "repository": "https://example.org/r"})
    listed = json.loads(tailrace(house, "project", "list", "--json").stdout)
    assert [one["name"] for one in listed] == [f"p{number}" for number in range(503)]
    plan = json.loads(tailrace(house, "plan", "add", "p502", "last", "--path", "ci.yml", "--json").stdout)
    assert plan["project_name"] == "p502"
    for name in ("p502/last", "last", "p502", str(plan["id"])):
        shown = json.loads(tailrace(house, "plan", "show", name, "--json").stdout)
        assert shown["id"] == plan["id"]
    changed = tailrace(house, "project", "edit", str(plan["project"]), "--name", "renamed", "--json")
    assert json.loads(changed.stdout)["name"] == "renamed"
    missing = tailrace(house, "plan", "show", "p1/last")
    assert (missing.returncode, "there is no plan 'p1/last'" in missing.stderr) == (2, True)
    assert tailrace(house, "project", "remove", "p0", "--json").stdout.split() == ["{", '"id":', "1", "}"]
    assert len(json.loads(tailrace(house, "project", "list", "--removed", "--json").stdout)) == 1


def test_what_a_command_did_can_be_read_by_programs(home: House) -> None:
    """Each prints JSON with --json, and nothing but that."""

    def said(*arguments: str) -> dict[str, object]:
        done = tailrace(home, *arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    made = said("project", "add", "programs", "https://example.org/r")
    plan = said("plan", "add", "programs", "default", "--path", "ci.yml")
    assert plan["project"] == made["id"]
    assert said("project", "hook", "programs", "--remove") == {"id": made["id"]}
    guard = said("environment", "set", "programs", "production")
    assert guard["name"] == "production"
    assert said("environment", "remove", "programs", "production") == {"id": guard["id"]}
    trigger = said("trigger", "add", "programs/default", "cron", "--set", "expression=0 4 * * *")
    assert said("trigger", "remove", str(trigger["id"])) == {"id": trigger["id"]}
    key = "key=whsec_" + "A" * 32
    added = tailrace(
        home, "notify", "add-channel", "webhook", "ours", "--set", "url=http://127.0.0.1:1/", given=key
    )
    assert added.returncode == 0, added.stderr
    assert said("notify", "disable", "ours")["enabled"] is False
    assert said("notify", "enable", "ours")["enabled"] is True
    tried = tailrace(home, "notify", "test", "ours", "--json")
    assert (tried.returncode, json.loads(tried.stdout)["ok"]) == (1, False)
    rule = json.loads(tailrace(home, "notify", "add-rule", "ours", "--on", "failed", "--json").stdout)
    assert said("notify", "remove-rule", str(rule["id"])) == {"id": rule["id"]}
    assert said("notify", "remove-channel", "ours") == {"id": int(added.stdout)}
    waiting = home.plan("jobs: {a: {labels: [nobody-has-this], checkout: false, steps: [{run: x}]}}")
    first, second = home.run(waiting), home.run(waiting)
    found = json.loads(tailrace(home, "runs", "--plan", str(waiting), "--json").stdout)
    assert [one["id"] for one in found] == [second, first]
    assert json.loads(tailrace(home, "runs", "--trigger", "999999", "--json").stdout) == []
    assert said("abort", str(first)) == {"runs": [first]}
    assert said("abort", "--project", str(found[0]["project"]), "--branch", "main") == {"runs": []}
    assert said("plan", "remove", "programs/default") == {"id": plan["id"]}


def test_faults_of_a_file_begin_with_their_place_in_it(home: House, tmp_path: Path) -> None:
    """As editors and terminals find them; also where the server found them."""
    bad = tmp_path / "bad.yml"
    bad.write_text("jobs:\n  a: {steps: [{run: x}], color: red}\n  b: {}\n")
    project = home.project()
    plan = home.script_plan("true", project=project)
    for command in (("plan", "add", str(project), "x", str(bad)), ("plan", "edit", str(plan), str(bad))):
        done = tailrace(home, *command)
        lines = done.stderr.splitlines()
        assert (done.returncode, len(lines)) == (2, 2), done.stderr
        assert lines[0].startswith(f"{bad}:2:")
        assert lines[1].startswith(f"{bad}:3:")
    body = {"project": project, "name": "x", "definition": "jobs: 1", "file": "ci.yml"}
    assert home.client.post("/api/plans", json=body).json()["detail"].startswith("ci.yml:1:")


def test_what_changes_something_says_what_as_json(home: House) -> None:
    """Agents, labels, pauses, secrets and sign-in links: an object each, as lists have them; nothing without --json."""

    def said(*arguments: str, given: str | None = None) -> Any:
        done = tailrace(home, *arguments, "--json", given=given)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    project = said("project", "add", "json-shop", "/srv/shop.git")["id"]
    token = said("agent-token")["token"]
    agent: dict[str, Any] = {"token": token, "name": "json-box", "labels": [], "capacity": 1, "version": "0"}
    id = str(home.post("/api/agents/register", agent)["id"])
    assert said("agents", "pause", id, "--why", "moving")["mode_why"] == "moving"
    assert said("agents", "drain", id)["mode"] == "draining"
    assert said("agents", "resume", id)["mode"] == "active"
    assert said("agents", "rename", id, "json-case")["name"] == "json-case"
    assert said("agents", "relabel", id, "gpu")["labels"] == ["gpu"]
    assert said("agents", "allow", id, "json-shop")["projects"] == [project]
    assert said("agents", "remove", id) == {"id": int(id)}
    assert said("labels", "protect", "json-gpu", "json-shop", "--why", "dear")["why"] == "dear"
    assert said("labels", "unprotect", "json-gpu") == {"name": "json-gpu"}
    paused = said("queue", "pause", "--project", "json-shop", "--why", "moving")
    assert (paused["scope"], paused["why"], paused["by"]) == (f"project/{project}", "moving", "admin")
    assert said("queue", "resume", "--project", "json-shop") == {"scope": f"project/{project}"}
    secret = said("secret", "set", "JSON_ONE", given="a-long-value")["id"]
    assert said("secret", "remove", "JSON_ONE") == {"id": secret}
    link = said("login-link", "--page", "/agents")
    assert link["code"] in link["url"]
    assert tailrace(home, "queue", "resume", "--project", "json-shop").stdout == ""
    both = tailrace(home, "run", "json-shop/none", "--follow", "--json")
    assert (both.returncode, both.stdout) == (2, "")
    assert "give one of them" in both.stderr
