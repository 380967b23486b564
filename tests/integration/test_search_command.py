"""`tailrace search`, as a shell sees it."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.integration.test_commands import tailrace
from tests.support.house import House


class Searched(NamedTuple):
    """A project whose two runs have ended, the older first."""

    project: str
    runs: tuple[int, int]


@pytest.fixture(scope="module")
def searched(home: House) -> Searched:
    """The first run says a needle on stdout, the second one, which fails, on stderr and in red."""
    project = home.project()
    one = home.script_plan("echo first; echo 'a Needle 水 and a needle'", project=project, name="one")
    two = home.script_plan(
        "printf 'x\\033[31m needle\\033[0m\\r\\n' >&2; exit 3", project=project, name="two"
    )
    runs = (home.run(one), home.run(two))
    for run, state in zip(runs, ("passed", "failed"), strict=True):
        home.wait_state(run, state)
        home.wait_log(run)
    return Searched(str(project), runs)


def test_found_lines_are_printed_newest_run_first(home: House, searched: Searched) -> None:
    """As RUN/JOB:LINE: TEXT, without what a terminal would obey, and with exit status 0."""
    older, newer = searched.runs
    done = tailrace(home, "search", "needle", "--project", searched.project, "--stream", "stdout,stderr")
    assert (done.returncode, done.stderr) == (0, "")
    first, second = done.stdout.splitlines()
    place, _, text = first.partition(": ")
    assert place.startswith(f"{newer}/job:")
    assert text == "x needle"
    assert second.startswith(f"{older}/job:")
    assert second.endswith(": a Needle 水 and a needle")


def test_nothing_found_is_1_and_a_fault_is_2(home: House, searched: Searched) -> None:
    """Like grep; the fault is explained."""
    nothing = tailrace(home, "search", "no such needle", "--project", searched.project)
    assert (nothing.returncode, nothing.stdout, nothing.stderr) == (1, "", "")
    for arguments, says in (
        (("(", "-E"), "q: not a regular expression at character 1"),
        (("x", "--project", "nowhere"), "there is no project 'nowhere'"),
        (("x", "--state", "odd"), "state: found 'odd'"),
        (("x", "--since", "once"), "since: 'once' is not a time"),
    ):
        wrong = tailrace(home, "search", *arguments)
        assert wrong.returncode == 2
        assert says in wrong.stderr


def test_what_is_searched_can_be_narrowed(home: House, searched: Searched) -> None:
    """By plan, state, time, case and stream; `-l` names each job once."""
    older, newer = searched.runs
    base = ("search", "needle", "--project", searched.project, "-l")
    for more, runs in (
        ((), [newer, older]),
        (("--state", "failed"), [newer]),
        (("--since", "1h"), [newer, older]),
        (("--until", "1h"), []),
        (("--stream", "stdout"), [older]),
        (("--limit", "1"), [newer]),
    ):
        done = tailrace(home, *base, *more)
        assert done.stdout.splitlines() == [f"{run}/job" for run in runs], more
        assert done.returncode == (0 if runs else 1)
    cased = tailrace(home, "search", "N[e]{2}dle", "-E", "--case", "--project", searched.project, "-l")
    assert cased.stdout == f"{older}/job\n"
    limited = tailrace(home, *base, "--limit", "1")
    assert limited.stderr == "tailrace: stopped after 1 lines; --limit gives more\n"


def test_json_is_what_the_server_says(home: House, searched: Searched) -> None:
    """An object a line, the end too."""
    done = tailrace(home, "search", "needle", "--project", searched.project, "--json", "--stream", "stdout")
    hit, end = map(json.loads, done.stdout.splitlines())
    assert (hit["run"]["id"], hit["job"], hit["stream"]) == (searched.runs[0], "job", "stdout")
    assert hit["ranges"] == [[2, 8], [17, 23]]
    assert end["end"]["logs"] == 2
    assert done.returncode == 0


def test_a_terminal_gets_colour(home: House, searched: Searched, tmp_path: Path) -> None:
    """The matches stand out; what the log has of colour is left out."""
    screen, terminal = pty.openpty()
    with (tmp_path / "errors").open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "tailrace", "search", "needle", "--plan", f"{_name(home, searched)}/two"],
            env={**os.environ, **home.environment},
            stdout=terminal,
            stderr=errors,
        )
    os.close(terminal)
    shown = b""
    try:
        while part := os.read(screen, 65536):
            shown += part
    except OSError:  # the other end is closed
        pass
    os.close(screen)
    assert process.wait(60) == 0, (tmp_path / "errors").read_text()
    assert b"x \x1b[1;31mneedle\x1b[0m\r\n" in shown
    assert b"\x1b[31m" not in shown


def _name(home: House, searched: Searched) -> str:
    return home.get(f"/api/projects/{searched.project}")["name"]
