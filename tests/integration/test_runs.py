"""Runs from start to end, through real processes."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from tests.support.house import House
from tests.support.waiting import wait_for


def make_repository(folder: Path, files: dict[str, str]) -> str:
    """A git repository with one commit; its id."""
    folder.mkdir(parents=True)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git = ["git", "-C", str(folder), "-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "First light"], check=True)
    return subprocess.run(
        [*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_a_run_passes_and_its_output_is_what_the_process_wrote(home: House) -> None:
    """Both streams, joined, are the bytes of the process; system text is told apart."""
    run = home.run(home.script_plan("echo out; echo err >&2; printf 'no newline'"))
    shown = home.wait_state(run, "passed")
    log = home.wait_log(run)["log"]
    assert home.output(log, "stdout") == b"out\nno newline"
    assert home.output(log, "stderr") == b"err\n"
    whole = home.output(log, None)
    assert whole != home.output(log), "system text is in the log, under its own stream"
    assert shown["jobs"][0]["attempts"][0]["exit_code"] == 0
    assert shown["agents"], "the run names its agent"
    assert shown["started_at"] <= shown["finished_at"]


@pytest.mark.parametrize("size", [10_000_000])
def test_a_long_line_that_is_not_utf_8_arrives_whole(home: House, size: int) -> None:
    """Ten megabytes without a newline, of bytes that no encoding knows, change nothing and break nothing."""
    program = f"import sys; sys.stdout.buffer.write(bytes(range(128, 256)) * ({size} // 128))"
    run = home.run(home.script_plan(f'python3 -c "{program}"'))
    home.wait_state(run, "passed")
    attempt = home.wait_log(run)
    wanted = bytes(range(128, 256)) * (size // 128)
    assert hashlib.sha256(home.output(attempt["log"], "stdout")).digest() == hashlib.sha256(wanted).digest()


def test_output_without_a_newline_is_seen_while_the_process_runs(home: House, tmp_path: Path) -> None:
    """A prompt is in the log before the process ends."""
    gate = tmp_path / "gate"
    run = home.run(
        home.script_plan(f"printf 'Continue? '; while [ ! -e {gate} ]; do sleep 0.05; done; echo yes")
    )
    home.wait_output(run, b"Continue? ")
    assert home.show(run)["state"] == "running"
    gate.touch()
    home.wait_state(run, "passed")
    assert home.output(home.wait_log(run)["log"], "stdout") == b"Continue? yes\n"


def test_a_step_that_fails_names_its_exit_code_and_skips_what_needs_it(home: House) -> None:
    """The reason, the detail, the exit code; later steps and jobs are skipped."""
    plan = home.plan(
        """
        jobs:
          first: {checkout: false, steps: [{run: "true"}, {run: exit 7}, {run: echo never}]}
          second: {checkout: false, needs: [first], steps: [{run: echo never}]}
        """
    )
    shown = home.wait_state(home.run(plan), "failed")
    first, second = shown["jobs"]
    assert (first["state"], first["reason"], first["attempts"][0]["exit_code"]) == ("failed", "exit_code", 7)
    assert [step["state"] for step in first["attempts"][0]["steps"]] == ["passed", "failed", "skipped"]
    assert (second["state"], second["reason"]) == ("skipped", "needs_failed")
    assert "exit 7" in shown["detail"]
    assert "7" in shown["detail"]


def test_jobs_run_in_the_order_of_their_needs_and_at_once_where_they_can(home: House, tmp_path: Path) -> None:
    """Two jobs that wait for each other's sign both run; the job that needs both comes last."""
    a, b = tmp_path / "a", tmp_path / "b"
    meet = "touch {mine}; while [ ! -e {other} ]; do sleep 0.02; done"
    plan = home.plan(
        f"""
        jobs:
          last: {{checkout: false, needs: [left, right], steps: [{{run: "test -e {a} && test -e {b}"}}]}}
          left: {{checkout: false, steps: [{{run: "{meet.format(mine=a, other=b)}"}}]}}
          right: {{checkout: false, steps: [{{run: "{meet.format(mine=b, other=a)}"}}]}}
        """
    )
    home.wait_state(home.run(plan), "passed")


def test_the_checkout_is_the_revision_that_was_asked_for(home: House, tmp_path: Path) -> None:
    """A plan of the repository, at a revision: what is checked out is that commit."""
    repository = tmp_path / "repository"
    plan_file = 'jobs: {job: {steps: [{run: "git rev-parse HEAD; cat hello.txt"}]}}'
    first = make_repository(repository, {".tailrace.yml": plan_file, "hello.txt": "hello\n"})
    git = ["git", "-C", str(repository), "-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    (repository / "hello.txt").write_text("changed\n")
    subprocess.run([*git, "commit", "-qam", "Second"], check=True)
    project = home.project(repository=str(repository))
    plan = home.post("/api/plans", {"project": project, "name": "main", "path": ".tailrace.yml"})["id"]
    run = home.run(plan, revision=first)
    shown = home.wait_state(run, "passed")
    assert shown["revision"] == first
    assert shown["title"] == "First light"
    output = home.output(home.wait_log(run)["log"], "stdout").decode()
    assert output.splitlines()[-2:] == [first, "hello"]
    newest = home.wait_state(home.run(plan), "passed")
    assert newest["title"] == "Second"
    assert newest["branch"] == "main"


def test_variables_reach_the_script_as_environment(home: House) -> None:
    """The run's variables win over the job's, and nothing is pasted into the script."""
    plan = home.script_plan(
        'printf "%s|%s|%s" "$A" "$B" "$TAILRACE_RUN_ID"', variables={"A": "plan", "B": "plan"}
    )
    run = home.run(plan, variables={"B": '$(touch /tmp/never); "'})
    home.wait_state(run, "passed")
    expected = f'plan|$(touch /tmp/never); "|{run}'
    assert home.output(home.wait_log(run)["log"], "stdout").decode() == expected


def test_a_job_that_no_agent_can_be_given_ends_and_holds_up_no_other(home: House) -> None:
    """A small file can stand for it; every agent that was told of it lost its connection, and again when it came back."""
    many = "".join(f"      V{n}: *long\n" for n in range(150))
    control = r"\x01"  # six bytes in a message
    poison = home.plan(
        f'variables: {{LONG: &long "{"x" * 70_000}{control * 20_000}"}}\n'
        f"jobs:\n  big:\n    checkout: false\n    variables:\n{many}    steps: [{{run: 'true'}}]\n"
    )
    run = home.run(poison)
    after = home.run(home.script_plan("echo well", name="after"))
    shown = home.wait_state(run, "failed")
    assert shown["reason"] == "setup_failed"
    assert "MiB of text, and an agent can be given 8; " in shown["detail"]
    home.wait_state(after, "passed")


def test_an_abort_ends_every_process_of_the_job(home: House, tmp_path: Path) -> None:
    """Also one that left the process group and ignores SIGTERM; the run says who wanted it."""
    pids = tmp_path / "pids"
    script = (
        f"(trap '' TERM; setsid sh -c 'trap \"\" TERM; echo $$ >> {pids}; while :; do sleep 0.1; done' &)"
        f"\ntrap '' TERM; echo $$ >> {pids}; echo begun; while :; do sleep 0.1; done"
    )
    run = home.run(home.script_plan(script))
    home.wait_output(run, b"begun")
    wait_for(lambda: pids.exists() and len(pids.read_text().split()) == 2, "both processes")
    home.post(f"/api/runs/{run}/abort")
    shown = home.wait_state(run, "aborted")
    assert (shown["reason"], "admin" in shown["detail"]) == ("aborted_by", True)
    for pid in pids.read_text().split():
        wait_for(lambda pid=pid: not Path(f"/proc/{pid}").exists(), f"process {pid} to be gone")


def test_removing_a_project_ends_what_it_has_under_way(home: House) -> None:
    """And lets nothing of it begin; restored, it shows how its runs ended."""
    project = home.project()
    running = home.run(home.script_plan("sleep 1000", project=project))
    home.wait_state(running, "running")
    waiting = home.run(home.script_plan("true", name="other", project=project, labels=["nowhere"]))
    assert home.client.delete(f"/api/projects/{project}").status_code == 204
    home.post(f"/api/projects/{project}/restore")
    for run in (running, waiting):
        ended = home.wait_state(run, "aborted")
        assert (ended["reason"], ended["detail"].partition(": ")[2]) == (
            "aborted_by",
            "aborted by admin, who removed the project",
        )


def test_a_timeout_ends_the_job_with_its_reason(home: House) -> None:
    """`timeout` is a reason of its own."""
    shown = home.wait_state(home.run(home.script_plan("echo on; sleep 600", timeout=1)), "failed")
    assert shown["reason"] == "timeout"


def test_a_pending_job_says_why_it_waits(home: House) -> None:
    """A label that no agent has is named."""
    run = home.run(home.script_plan("true", labels=["mars"]))
    assert home.show(run)["jobs"][0]["why"] == "no agent has label mars"
    home.post(f"/api/runs/{run}/abort")
    assert home.wait_state(run, "aborted")["jobs"][0]["state"] == "aborted"


def test_run_again_makes_the_same_once_more(home: House) -> None:
    """A new run, of the same plan version and variables, though the plan changed since."""
    plan = home.script_plan("echo $WORD")
    run = home.run(plan, variables={"WORD": "first"})
    home.wait_state(run, "passed")
    changed = home.client.put(
        f"/api/plans/{plan}", json={"definition": "jobs: {job: {checkout: false, steps: [{run: exit 1}]}}"}
    )
    assert changed.json()["version"] == 2
    again = home.post(f"/api/runs/{run}/rerun")
    home.wait_state(again["id"], "passed")
    assert again["number"] == 2
    assert home.show(again["id"])["plan_version"] == 1
    assert home.output(home.wait_log(again["id"])["log"], "stdout") == b"first\n"


def test_many_runs_at_once_all_end(home: House) -> None:
    """More jobs than the agent has room for: each runs once, each has its own log."""
    plan = home.script_plan("echo run $TAILRACE_RUN_ID")
    runs = [home.run(plan) for _ in range(20)]
    for run in runs:
        home.wait_state(run, "passed")
        attempt = home.wait_log(run)
        assert attempt["number"] == 1
        assert home.output(attempt["log"], "stdout") == f"run {run}\n".encode()


def test_an_agent_with_nothing_to_do_sleeps(home: House) -> None:
    """After its jobs have ended and their folders are gone, it takes hardly any processor time."""
    import time

    import psutil

    run = home.run(home.script_plan("true"))
    home.wait_state(run, "passed")
    home.wait_log(run)
    attempts = home.data / "agent" / "attempts"
    wait_for(lambda: not list(attempts.iterdir()), "the attempt's folder to be removed")
    (agent,) = (
        child for child in psutil.Process(home.processes[0].pid).children() if "agent" in child.cmdline()
    )
    began, before = time.monotonic(), sum(agent.cpu_times()[:2])
    wait_for(lambda: time.monotonic() - began > 1, "a second to pass")
    share = (sum(agent.cpu_times()[:2]) - before) / (time.monotonic() - began)
    assert share < 0.25
