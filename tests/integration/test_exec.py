"""`tailrace exec`: a plan runs here without a server, in the terminal, with the runners that agents have."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support.waiting import wait_for

GIT = ("git", "-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "init.defaultBranch=main")


class Desk:
    """A repository that somebody works in, and a folder for temporary files that nobody else uses."""

    def __init__(self, folder: Path) -> None:
        self.repository = folder / "shop"
        self.repository.mkdir()
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.processes: list[subprocess.Popen[bytes]] = []

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            [*GIT, *arguments], cwd=self.repository, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def write(self, name: str, text: str) -> None:
        (self.repository / name).write_text(text)

    def commit(self) -> str:
        """The commit of all there is."""
        if not (self.repository / ".git").exists():
            self.git("init", "-q")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "one")
        return self.git("rev-parse", "HEAD")

    def begin(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tailrace", "exec", *arguments],
            cwd=self.repository,
            env=os.environ | {"TMPDIR": str(self.temporary)} | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.processes.append(process)
        return process

    def exec(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        """Its exit status, what it wrote to standard output and what to standard error."""
        process = self.begin(*arguments, **environment)
        out, error = process.communicate(timeout=60)
        return process.returncode, out.decode(), error.decode()

    def plan(self, text: str) -> None:
        self.write(".tailrace.yml", text)

    def left(self) -> list[str]:
        """What is in the folder for temporary files."""
        return sorted(path.name for path in self.temporary.iterdir())


@pytest.fixture
def desk(tmp_path: Path) -> Generator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    for process in desk.processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def lives(mark: str) -> bool:
    """Whether a process has this in its command line."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "cmdline").read_bytes():
                return True
        except OSError:
            continue
    return False


def test_a_job_prints_as_if_it_ran_here_and_leaves_nothing(desk: Desk) -> None:
    """Stdout to stdout, stderr and Tailrace's own words to stderr; the folder for temporary files is empty afterwards."""
    desk.plan("jobs: {one: {checkout: false, steps: [{run: 'echo out; echo $NAME >&2'}]}}")
    status, out, error = desk.exec("--var", "NAME=väl ue")
    assert (status, out) == (0, "out\n")
    assert "\nväl ue\n" in error
    assert desk.left() == []


def test_the_exit_status_is_that_of_the_job_that_failed(desk: Desk) -> None:
    """What needs it is skipped, what does not runs; the last lines tell all three."""
    desk.plan("""
jobs:
  bad: {checkout: false, steps: [{run: exit 7}]}
  after: {needs: bad, checkout: false, steps: [{run: echo never}]}
  beside: {checkout: false, steps: [{run: echo well}]}
""")
    status, out, error = desk.exec()
    assert (status, out) == (7, "beside | well\n")
    bad, after, beside = error.splitlines()[-3:]
    assert bad.startswith("bad     failed in ")
    assert "exit code 7" in bad
    assert after == "after   skipped: it needs job bad, which did not pass"
    assert beside.startswith("beside  passed in ")


def test_needs_come_first_and_only_what_is_asked_for_runs(desk: Desk) -> None:
    """`--job` brings what it needs along, `--no-needs` does not."""
    steps = "checkout: false, steps: [{run: 'echo $TAILRACE_JOB >> $ORDER'}]"
    desk.plan(
        f"jobs: {{c: {{needs: b, {steps}}}, b: {{needs: a, {steps}}}, a: {{{steps}}}, other: {{{steps}}}}}"
    )
    order = desk.repository / "order"
    assert desk.exec("-j", "c", "--var", f"ORDER={order}")[0] == 0
    assert order.read_text() == "a\nb\nc\n"
    assert desk.exec("-j", "c", "--no-needs", "--var", f"ORDER={order}")[0] == 0
    assert order.read_text() == "a\nb\nc\nc\n"
    status, _, error = desk.exec("-j", "d")
    assert status == 2
    assert "the plan has no such job; it has c, b, a, other" in error


def test_files_that_are_not_committed_are_checked_out_and_the_repository_stays_as_it_is(desk: Desk) -> None:
    """Changed and new files are there, removed and ignored ones are not; no object is written into the repository."""
    desk.plan("jobs: {look: {steps: [{run: 'ls; cat changed; git log --format=%s'}, {run: 'touch spoilt'}]}}")
    for name in ("changed", "removed"):
        desk.write(name, "old\n")
    desk.write(".gitignore", "ignored\n")
    desk.commit()
    desk.write("changed", "new\n")
    desk.write("added", "")
    desk.write("ignored", "")
    (desk.repository / "removed").unlink()
    before = desk.git("count-objects"), desk.git("status", "--short", "--ignored")
    status, out, error = desk.exec()
    assert (status, out) == (0, "added\nchanged\nnew\nFiles that are not committed\none\n")
    assert "with what is not committed" in error
    assert (desk.git("count-objects"), desk.git("status", "--short", "--ignored")) == before


def test_a_clean_repository_is_checked_out_at_its_commit(desk: Desk) -> None:
    """The revision is the real one, and so is the branch; from a folder below, the nearest plan file is found."""
    desk.plan(
        "jobs: {look: {steps: [{run: 'echo $TAILRACE_REVISION $TAILRACE_BRANCH; git rev-parse HEAD'}]}}"
    )
    (desk.repository / "sub").mkdir()
    desk.write("sub/file", "")
    commit = desk.commit()
    assert desk.exec()[1] == f"{commit} main\n{commit}\n"
    below = subprocess.run(
        [sys.executable, "-m", "tailrace", "exec"],
        cwd=desk.repository / "sub",
        capture_output=True,
        check=True,
    )
    assert below.stdout.decode() == f"{commit} main\n{commit}\n"


def test_the_whole_history_can_be_had_with_what_is_not_committed(desk: Desk) -> None:
    """`depth: all` brings branches and tags."""
    desk.plan(
        "jobs: {look: {checkout: {depth: all}, steps: [{run: 'cat file; git log --format=%s; git tag'}]}}"
    )
    desk.commit()
    desk.git("tag", "v1")
    desk.write("file", "new\n")
    assert desk.exec()[1] == "new\nFiles that are not committed\none\nv1\n"


def test_another_revision_can_be_named(desk: Desk) -> None:
    """A tag, a branch, a commit; one that there is not is refused before anything runs."""
    desk.plan("jobs: {look: {steps: [{run: cat file}]}}")
    desk.write("file", "first\n")
    desk.commit()
    desk.git("tag", "v1")
    desk.write("file", "second\n")
    assert desk.exec("--revision", "v1")[1] == "first\n"
    status, _, error = desk.exec("--revision", "v2")
    assert status == 2
    assert "there is no revision 'v2'" in error


def test_a_folder_outside_of_any_repository_is_taken_as_it_is(desk: Desk) -> None:
    """No repository is made of it."""
    desk.plan("jobs: {look: {steps: [{run: cat file}]}}")
    desk.write("file", "here\n")
    assert desk.exec()[:2] == (0, "here\n")
    assert sorted(path.name for path in desk.repository.iterdir()) == [".tailrace.yml", "file"]


def test_secrets_come_from_a_file_or_the_environment_and_are_masked(desk: Desk) -> None:
    """Jobs get those that they ask for."""
    desk.plan("""
jobs:
  wants: {checkout: false, secrets: [TOKEN, OTHER], steps: [{run: 'echo "$TOKEN $OTHER"; printf %s "$TOKEN" | wc -c'}]}
  not: {needs: wants, checkout: false, steps: [{run: 'echo "<$TOKEN>"'}]}
""")
    desk.write("secrets", "# ours\nTOKEN='hush-hush'\n")
    status, out, _ = desk.exec("--secret-file", "secrets", "--secret", "OTHER", OTHER="be-still")
    assert status == 0
    assert [line.split("| ")[1] for line in out.splitlines()] == ["*** ***", "9", "<>"]
    status, _, error = desk.exec("--secret-file", "secrets")
    assert status == 2
    assert "job wants wants the secret OTHER" in error


def test_a_job_is_tried_again_as_its_plan_says(desk: Desk) -> None:
    """And its attempts are told apart."""
    desk.plan("""
jobs:
  flaky:
    checkout: false
    retry: {max: 2, on: exit_code}
    steps: [{run: 'echo $TAILRACE_ATTEMPT; test $TAILRACE_ATTEMPT = 2'}]
""")
    assert desk.exec()[:2] == (0, "1\n2\n")


def test_a_faulty_plan_is_refused_with_line_and_column(desk: Desk) -> None:
    """As it would be by a server."""
    desk.plan("jobs:\n  one:\n    stps: []\n")
    status, _, error = desk.exec()
    assert status == 2
    assert ".tailrace.yml:3:5: unknown key" in error


STUBBORN = """
jobs:
  stubborn:
    checkout: false
    steps:
      - run: |
          trap 'echo no' TERM
          setsid sh -c 'trap "" TERM; exec -a MARK sleep 1000' & echo begun
          while :; do sleep 0.05; done
  after: {needs: stubborn, checkout: false, steps: [{run: echo never}]}
"""


def test_jobs_decide_by_what_others_gave_and_how_they_ended(desk: Desk) -> None:
    """As on a server: outputs reach steps and conditions, and who is skipped is told why."""
    desk.plan("""
jobs:
  build:
    checkout: false
    secrets: [TOKEN]
    outputs: {tag: "${steps.make.outputs.tag}", hush: "${steps.make.outputs.hush}", unasked: x}
    steps: [{id: make, run: 'echo tag=v42 >> $TAILRACE_OUTPUT; echo hush=$TOKEN >> $TAILRACE_OUTPUT'}]
  deploy:
    needs: build
    if: needs.build.outputs.tag == "v42" and event == "manual" and variables.TO == "here"
    checkout: false
    steps:
      - run: echo "deploying $TAG, $HUSH, $UNASKED"
        env: {TAG: "${needs.build.outputs.tag}", HUSH: "${needs.build.outputs.hush}"}
  break:
    needs: deploy
    checkout: false
    steps: [{run: exit 3}]
    finally: [{run: echo cleared}]
  never: {needs: break, checkout: false, steps: [{run: echo never}]}
  tell: {needs: never, if: failure, checkout: false, steps: [{run: echo told}]}
  praise: {needs: build, if: 'needs.build.outputs.tag == "v1"', checkout: false, steps: [{run: echo never}]}
""")
    status, out, error = desk.exec("--var", "TO=here", "--secret", "TOKEN", TOKEN="hush-hush")
    assert status == 3
    assert out == "deploy | deploying v42, ***, \nbreak  | cleared\ntell   | told\n"
    ends = dict(line.split(maxsplit=1) for line in error.splitlines()[-6:])
    assert ends["never"] == "skipped: it needs job break, which did not pass"
    assert ends["praise"] == (
        'skipped: its condition does not hold: `needs.build.outputs.tag == "v1"` (needs.build.outputs.tag is "v42")'
    )
    assert {name: end.split()[0] for name, end in ends.items() if name not in ("never", "praise")} == {
        "build": "passed",
        "deploy": "passed",
        "break": "failed",
        "tell": "passed",
    }


def test_outputs_are_those_of_the_last_attempt(desk: Desk) -> None:
    """What one that failed before it gave is forgotten."""
    desk.plan("""
jobs:
  flaky:
    checkout: false
    retry: {max: 1, on: exit_code}
    outputs: {by: "${steps.give.outputs.by}"}
    steps:
      - id: give
        run: echo by=$TAILRACE_ATTEMPT >> $TAILRACE_OUTPUT; test $TAILRACE_ATTEMPT = 2
  after: {needs: flaky, checkout: false, steps: [{run: echo $BY, env: {BY: "${needs.flaky.outputs.by}"}}]}
""")
    assert desk.exec()[:2] == (0, "after | 2\n")


def test_one_ctrl_c_lets_finally_go_on_and_a_second_one_ends_it(desk: Desk) -> None:
    """What waits for the job does not begin, whatever its condition; nothing is left."""
    mark = f"tailrace-test-{desk.repository.parent.name}-{os.getpid()}"
    desk.plan(f"""
jobs:
  one:
    checkout: false
    steps: [{{run: echo begun; sleep 1000}}]
    finally: [{{run: echo last; bash -c 'trap "" TERM; exec -a {mark} sleep 1000'}}, {{run: echo never}}]
  after: {{needs: one, if: always, checkout: false, steps: [{{run: echo never}}]}}
""")
    process = desk.begin()
    assert process.stdout is not None
    assert process.stdout.readline() == b"one   | begun\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == b"one   | last\n"
    wait_for(lambda: lives(mark), "the process of `finally`")
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, b"")
    assert error.splitlines()[-1] == b"after  aborted: aborted by you (Ctrl-C)"
    assert not lives(mark)
    assert desk.left() == []


def test_finally_goes_to_its_end_after_one_ctrl_c(desk: Desk) -> None:
    """Also when it comes while `finally` is under way; the run was aborted all the same."""
    for steps in ("echo begun; sleep 1000", "true"):
        go = desk.repository / "go"
        go.unlink(missing_ok=True)
        desk.plan(f"""
jobs:
  one:
    checkout: false
    steps: [{{run: {steps}}}]
    finally: [{{run: 'echo begun; until test -e {go}; do sleep 0.01; done'}}, {{run: echo cleared}}]
""")
        process = desk.begin()
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"begun\n"
        process.send_signal(signal.SIGINT)
        while b"Ctrl-C again" not in process.stderr.readline():
            pass
        if steps != "true":
            assert process.stdout.readline() == b"begun\n"
        go.touch()
        assert process.communicate(timeout=30)[0] == b"cleared\n"
        assert process.returncode == 130


def test_a_signal_that_nobody_repeats_leaves_finally_little_time(desk: Desk) -> None:
    """SIGTERM: what ends this process does not wait for long."""
    desk.plan("""
jobs:
  one:
    checkout: false
    steps: [{run: echo begun; sleep 1000}]
    finally: [{run: echo last; sleep 1000}]
""")
    process = desk.begin()
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    process.terminate()
    assert process.communicate(timeout=30)[0] == b"last\n"
    assert process.returncode == 130


def stubborn(desk: Desk) -> tuple[subprocess.Popen[bytes], str]:
    """A run whose job ignores SIGTERM and has a process in another session; it has begun."""
    mark = f"tailrace-test-{desk.repository.parent.name}-{os.getpid()}"
    desk.plan(STUBBORN.replace("sh -c", "bash -c").replace("MARK", mark))
    process = desk.begin()
    assert process.stdout is not None
    assert process.stdout.readline() == b"stubborn | begun\n"
    wait_for(lambda: lives(mark), "the job's process")
    return process, mark


def test_ctrl_c_ends_the_jobs_and_what_they_started(desk: Desk) -> None:
    """A job that ignores SIGTERM is killed after a moment; the exit status is 130."""
    process, mark = stubborn(desk)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"aborted by you (Ctrl-C)" in error
    assert b"never" not in out
    assert not lives(mark)
    assert desk.left() == []


def test_nothing_outlives_a_killed_exec_and_the_next_one_removes_its_folder(desk: Desk) -> None:
    """kill -9 of the command: nobody would ever look at what its jobs do."""
    process, mark = stubborn(desk)
    process.kill()
    wait_for(lambda: not lives(mark), "the job's processes to be gone")
    [place] = desk.left()
    wait_for(lambda: not lives(place), "the warm parent to be gone")
    desk.plan("jobs: {one: {checkout: false, steps: [{run: 'true'}]}}")
    assert desk.exec()[0] == 0
    assert desk.left() == []


def test_a_reader_that_has_seen_enough_ends_the_jobs(desk: Desk) -> None:
    """`| head`: exit status 141, and nothing is left."""
    mark = f"tailrace-test-{desk.repository.parent.name}-{os.getpid()}"
    desk.plan(STUBBORN.replace("sh -c", "bash -c").replace("MARK", mark).replace("sleep 0.05", "echo more"))
    process = desk.begin()
    assert process.stdout is not None
    wait_for(lambda: lives(mark), "the job's process")
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    process.stderr.read()
    assert process.wait(30) == 141
    assert not lives(mark)
    assert desk.left() == []


def test_a_runner_that_is_killed_ends_its_job(desk: Desk) -> None:
    """Its reason is said, and what it had started is gone."""
    mark = f"tailrace-test-{desk.repository.parent.name}-{os.getpid()}"
    desk.plan(
        f'jobs: {{one: {{checkout: false, steps: [{{run: "echo $PPID; exec -a {mark} sleep 1000"}}]}}}}'
    )
    process = desk.begin()
    assert process.stdout is not None
    runner = int(process.stdout.readline())
    wait_for(lambda: lives(mark), "the job's process")
    os.kill(runner, signal.SIGKILL)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 1
    assert b"the runner died before the attempt had ended" in error
    assert not lives(mark)


def test_a_matrix_is_one_job_for_each_combination(desk: Desk) -> None:
    """Scripts have its values as variables; `--job` takes the matrix, or one of its jobs."""
    desk.plan(
        """
jobs:
  test:
    matrix: {python: [3.10, "3.11"]}
    checkout: false
    steps:
      - run: echo "python $TAILRACE_MATRIX_PYTHON and $ALSO"
        env: {ALSO: "${matrix.python}"}
      - run: echo "only here"
        if: matrix.python == "3.11"
  after:
    needs: test
    checkout: false
    steps:
      - run: echo "all are $OUTCOME"
        env: {OUTCOME: "${needs.test.outcome}"}
"""
    )
    status, out, _ = desk.exec()
    assert status == 0
    for line in ("python 3.10 and 3.10", "python 3.11 and 3.11", "only here", "all are passed"):
        assert out.count(line) == 1, out
    assert desk.exec("--job", "test")[1].count("python 3.1") == 2
    assert desk.exec("--job", "test (3.11)")[1].count("python 3.1") == 1


def test_a_failure_ends_the_other_jobs_of_its_matrix(desk: Desk) -> None:
    """What runs, what waits for its next attempt, and what did not begin."""
    desk.plan(
        """
jobs:
  test:
    matrix: {x: [a, b, c, d]}
    max_parallel: 3
    fail_fast: true
    checkout: false
    retry: {max: 1, on: [signal], delay: 1h}
    steps:
      - run: |
          case $TAILRACE_MATRIX_X in
            a) echo begun; sleep 1000;;
            b) kill -TERM $$;;
            c) until test -e "$WHERE/go"; do sleep 0.1; done; exit 3;;
          esac
"""
    )
    process = desk.begin("--capacity", "3", "--var", f"WHERE={desk.temporary}")
    assert process.stderr is not None
    said = b""
    while b"test (b): attempt 2 follows" not in said:
        said += (piece := os.read(process.stderr.fileno(), 65536))
        assert piece, said
    (desk.temporary / "go").touch()
    out, rest = process.communicate(timeout=60)
    text = (said + rest).decode()
    assert process.returncode == 3
    assert "begun" in out.decode()
    assert text.count("aborted by job test (c), which failed") >= 3, text


def test_a_failure_that_is_allowed_and_a_delay_before_the_next_attempt(desk: Desk) -> None:
    """The exit status is that of what counts."""
    desk.plan(
        """
jobs:
  flaky:
    checkout: false
    retry: {max: 1, on: [exit_code], delay: 1s}
    steps:
      - run: test "$TAILRACE_ATTEMPT" = 2
  lint: {allow_failure: true, checkout: false, steps: [{run: exit 3}]}
  after: {needs: lint, checkout: false, steps: [{run: echo after}]}
"""
    )
    status, out, error = desk.exec()
    assert (status, "after" in out) == (0, True), error
    assert "flaky: attempt 2 follows in 1 s" in error
    assert "(allowed)" in error


def test_parameters_have_their_defaults_and_answers_are_checked(desk: Desk) -> None:
    """A variable of the run is an answer."""
    desk.write(
        ".tailrace.yml",
        "parameters: {A: {type: choice, choices: [x, y], default: x}, B: {type: number}}\n"
        "jobs: {job: {checkout: false, steps: [{run: 'echo $A $B'}]}}\n",
    )
    assert desk.exec("--var", "B=3")[:2] == (0, "x 3\n")
    status, _, said = desk.exec("--var", "A=z")
    assert status == 2
    assert "parameter A must be x or y; found 'z'; parameter B is missing, and has no default" in said


def test_jobs_exchange_artifacts(desk: Desk) -> None:
    """Those of the last attempt, with the right to be executed; `--artifacts` puts them somewhere, else they go with the run."""
    desk.plan("""
jobs:
  build:
    checkout: false
    retry: {max: 1, on: [exit_code]}
    steps:
      - run: |
          mkdir -p out/bin
          touch "out/of $TAILRACE_ATTEMPT"
          echo 'echo runs' > out/bin/tool
          chmod +x out/bin/tool
      - artifacts: [out]
      - run: test "$TAILRACE_ATTEMPT" = 2
  use:
    needs: build
    checkout: false
    steps:
      - artifacts: {from: build, paths: ["out/bin", "out/of*"], to: got}
      - run: got/out/bin/tool; ls got/out
""")
    target = desk.repository.parent / "kept"
    status, out, error = desk.exec("--artifacts", str(target))
    assert status == 0, error
    assert [line.partition("| ")[2] for line in out.splitlines()] == ["runs", "bin", "of 2"]
    files = sorted(str(path.relative_to(target)) for path in target.rglob("*") if path.is_file())
    assert files == ["build/out/bin/tool", "build/out/of 2"]
    assert desk.left() == []


def test_what_nobody_kept_cannot_be_fetched(desk: Desk) -> None:
    """Unless the plan says that it is optional."""
    desk.plan("""
jobs:
  build: {checkout: false, steps: [{run: echo built}]}
  may: {needs: build, checkout: false, steps: [{artifacts: {from: build, optional: true}}]}
  must: {needs: build, checkout: false, steps: [{artifacts: {from: build}}]}
""")
    status, _, error = desk.exec()
    assert status == 1
    assert "may    passed" in error
    assert "job build has no artifact" in error
