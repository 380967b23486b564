"""What steps may ask for: shells, folders, variables, time limits, terminals, outputs, conditions."""

from __future__ import annotations

import pytest

from tailrace.domain.lease import Need
from tailrace.domain.plan import RunStep
from tests.support.pace import at_some_pace
from tests.unit.runner.bench import Bench, until


def step(name: str, run: str, **more: object) -> RunStep:
    return RunStep.model_validate({"name": name, "run": run, **more})


async def test_a_shell_is_what_executes_the_script(bench: Bench) -> None:
    """Python prints at once; another program gets the file."""
    attempt = bench.attempt(
        steps=(
            step(
                "python",
                "import sys\nprint(sys.stdout.write_through, __file__.endswith('.py'))",
                shell="python",
            ),
            step("awk", 'BEGIN { print "awk" }', shell="awk -f {0}"),
            step("sh", "echo $0; false; echo never", shell="sh"),
        )
    )
    outcome = (await bench.carry(attempt)).outcome
    assert attempt.stdout == f"True True\nawk\n{attempt.folder.tmp}/step-2.sh\n".encode()
    assert outcome.detail == "step 'sh' ended with exit code 1"


async def test_a_shell_that_is_not_installed(bench: Bench) -> None:
    """The outcome names it."""
    attempt = bench.attempt(steps=(step("one", "x", shell="no-such-shell --fast"),))
    outcome = (await bench.carry(attempt)).outcome
    assert outcome.reason == "setup_failed"
    assert (outcome.detail or "").startswith("step 'one' needs no-such-shell, which is not installed on ")


async def test_a_step_works_in_its_folder(bench: Bench) -> None:
    """A folder of the workspace, also through a link within it."""
    attempt = bench.attempt(
        "mkdir -p a/b; ln -s a/b link", steps=(step("in", "pwd -P", working_directory="link"),)
    )
    await bench.carry(attempt)
    assert attempt.stdout == f"{attempt.folder.workspace}/a/b\n".encode()


@pytest.mark.parametrize(
    ("folder", "detail"),
    [
        ("out", "step 'in' cannot work in 'out': it leads out of the workspace, to /"),
        ("gone", "step 'in' cannot work in 'gone': the workspace has no such folder"),
        ("file", "step 'in' cannot work in 'file': the workspace has no such folder"),
    ],
)
async def test_no_step_works_outside_of_the_workspace(bench: Bench, folder: str, detail: str) -> None:
    """Not by way of a link either, nor in what is no folder."""
    attempt = bench.attempt("ln -s / out; touch file", steps=(step("in", "pwd", working_directory=folder),))
    outcome = (await bench.carry(attempt)).outcome
    assert (outcome.reason, outcome.detail) == ("setup_failed", detail)
    assert attempt.stdout == b""


async def test_a_failure_that_is_allowed(bench: Bench) -> None:
    """The step is shown as failed, the job goes on and passes."""
    attempt = bench.attempt(
        steps=(
            step("may", "exit 3", continue_on_error=True, id="may"),
            step("next", "echo $HOW", env={"HOW": "${steps.may.outcome}"}),
        )
    )
    outcome = (await bench.carry(attempt)).outcome
    assert (outcome.state, outcome.exit_code) == ("passed", 0)
    assert attempt.steps == [("may", "failed", 3), ("next", "passed", 0)]
    assert attempt.stdout == b"failed\n"
    assert "step 'may' ended with exit code 3; going on, as the plan says" in attempt.system


async def test_a_condition_decides_after_a_failure(bench: Bench) -> None:
    """The first failure is the outcome, whatever the steps do that come after it."""
    attempt = bench.attempt(
        "exit 7",
        steps=(
            step("usual", "echo never"),
            step("after", "echo after; exit 8", condition="failure"),
            step("always", "echo always", condition="always"),
        ),
    )
    outcome = (await bench.carry(attempt)).outcome
    assert (outcome.reason, outcome.exit_code) == ("exit_code", 7)
    assert attempt.stdout == b"after\nalways\n"
    assert [state for _, state, _ in attempt.steps] == ["failed", "skipped", "failed", "passed"]
    assert attempt.begun == ["one", "after", "always"]


async def test_a_step_that_is_skipped_says_why(bench: Bench) -> None:
    """With what the names stand for; where nothing has failed, for a failure says enough."""
    attempt = bench.attempt(
        steps=(
            step("main", "echo never", condition='variables.KIND == "main"'),
            step("other", "echo yes", condition='variables.KIND != "main"'),
        ),
        variables={"KIND": "odd"},
    )
    assert (await bench.carry(attempt)).outcome.state == "passed"
    assert attempt.stdout == b"yes\n"
    said = 'step \'main\' is skipped: its condition does not hold: `variables.KIND == "main"` (variables.KIND is "odd")'
    assert said in attempt.system


async def test_outputs_reach_later_steps_and_the_last_fact(bench: Bench) -> None:
    """As variables and in conditions, exactly as they were given; what a failed step gave counts too."""
    attempt = bench.attempt(
        steps=(
            step(
                "give",
                'printf "a=x \'$b\\nmany<<E\\n1\\n2\\nE\\na=last\\"\\n" >> $TAILRACE_OUTPUT; exit 1',
                id="give",
                continue_on_error=True,
            ),
            step(
                "take",
                'echo "$A/$B"',
                env={"A": "<${steps.give.outputs.a}>", "B": "${steps.give.outputs.many}"},
            ),
            step("if", "echo no", condition="steps.give.outputs.a == 'x'"),
        ),
        outputs={
            "a": "${steps.give.outputs.a}",
            "both": "$${x} ${steps.give.outputs.many}",
            "no": "${steps.give.outputs.z}",
        },
    )
    finished = await bench.carry(attempt)
    assert finished.outcome.state == "passed"
    assert attempt.stdout == b'<last">/1\n2\n'
    assert finished.outputs == {"a": 'last"', "both": "${x} 1\n2", "no": ""}


async def test_what_other_jobs_gave(bench: Bench) -> None:
    """It comes with the lease, and is text whatever it says."""
    attempt = bench.attempt(
        steps=(
            step("take", 'echo "$TAG"', env={"TAG": "${needs.build.outputs.tag}"}),
            step("ok", "echo $(( 1 + 1 ))", condition="needs.build.outcome == 'passed'"),
        ),
        needs={"build": Need(outcome="passed", outputs={"tag": "$(id); `id` ${branch}"})},
    )
    await bench.carry(attempt)
    assert attempt.stdout == b"$(id); `id` ${branch}\n2\n"


async def test_outputs_of_a_job_hold_no_secret(bench: Bench) -> None:
    """A later step gets it as it is; what leaves the runner is masked, and the log says so."""
    attempt = bench.attempt(
        steps=(
            step("give", 'echo "url=https://u:$TOKEN@host" >> $TAILRACE_OUTPUT', id="give"),
            step(
                "take",
                'test "$URL" = "https://u:$TOKEN@host" && echo same',
                env={"URL": "${steps.give.outputs.url}"},
            ),
        ),
        secrets=("TOKEN",),
        outputs={"url": "${steps.give.outputs.url}"},
    )
    finished = await bench.carry(attempt, {"TOKEN": "hunter2-hunter2"})
    assert attempt.stdout == b"same\n"
    assert finished.outputs == {"url": "https://u:***@host"}
    assert "hunter2" not in attempt.folder.journal.read_text()
    assert "output url holds a secret: other jobs get it masked" in attempt.system


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        ("echo oops >> $TAILRACE_OUTPUT", "line 1: 'oops' is neither KEY=VALUE nor KEY<<END"),
        ("rm $TAILRACE_OUTPUT; ln -s /etc/passwd $TAILRACE_OUTPUT", "its file cannot be opened: Too many levels of symbolic links"),
        ("rm $TAILRACE_OUTPUT; mkfifo $TAILRACE_OUTPUT", "its file is not an ordinary file any more"),
        ("head -c 300000 /dev/zero >> $TAILRACE_OUTPUT", "its file is larger than the 256 KiB that outputs may be together"),
    ],
)  # fmt: skip
async def test_outputs_that_cannot_be_read(bench: Bench, script: str, cause: str) -> None:
    """They fail the step, with the cause: nobody goes on with less than was given."""
    attempt = bench.attempt(script, "echo never")
    outcome = (await bench.carry(attempt)).outcome
    assert (outcome.state, outcome.reason) == ("failed", "output_invalid")
    assert outcome.detail == f"step 'one' wrote outputs that cannot be read: {cause}"
    assert attempt.stdout == b""


async def test_outputs_that_are_too_much_together(bench: Bench) -> None:
    """Of one text that is named often, too."""
    much = "head -c 60000 /dev/zero | tr '\\0' a | sed 's/^/a=/' >> $TAILRACE_OUTPUT"
    attempt = bench.attempt(
        steps=(step("give", much, id="give"),), outputs={"all": "${steps.give.outputs.a}" * 5}
    )
    finished = await bench.carry(attempt)
    assert finished.outcome.reason == "output_invalid"
    assert finished.outcome.detail == "the job's outputs are 300,003 bytes together; they may be 256 KiB"
    assert finished.outputs == {}


async def test_a_step_that_takes_too_long(bench: Bench) -> None:
    """It alone is ended, with all it started; what comes after a failure comes."""

    async def trial(time: int) -> None:
        attempt = bench.attempt(
            steps=(
                step("slow", "trap '' TERM; echo begin; sleep 1000 & sleep 1000", timeout_s=time),
                step("after", "echo after", condition="failure"),
            ),
            grace_s=0.2,
        )
        outcome = (await bench.carry(attempt)).outcome
        assert (outcome.state, outcome.reason) == ("failed", "timeout")
        assert outcome.detail == f"step 'slow' ran longer than its timeout of {time} s"
        assert attempt.steps == [("slow", "failed", None), ("after", "passed", 0)]
        assert attempt.stdout == b"begin\nafter\n"
        assert (
            f"the step ran longer than its timeout of {time} s; ending the step's processes" in attempt.system
        )

    await at_some_pace(trial)


async def test_a_timeout_that_is_allowed(bench: Bench) -> None:
    """`continue_on_error` forgives it as any other failure."""
    attempt = bench.attempt(
        steps=(step("slow", "sleep 1000", timeout_s=1, continue_on_error=True), step("next", "echo next"))
    )
    assert (await bench.carry(attempt)).outcome.state == "passed"
    assert attempt.stdout == b"next\n"


async def test_silence_ends_the_job(bench: Bench) -> None:
    """Not while something is printed, on either stream, with or without a newline."""

    async def trial(time: int) -> None:
        attempt = bench.attempt(
            f"for i in 1 2 3 4; do sleep {time * 0.4}; printf .; sleep {time * 0.4}; printf . >&2; done", "sleep 1000",
            idle_timeout_s=time, grace_s=0.2,
        )  # fmt: skip
        outcome = (await bench.carry(attempt)).outcome
        assert (outcome.state, outcome.reason) == ("failed", "idle_timeout")
        assert outcome.detail == f"the job printed nothing for {time} s, its idle timeout"
        assert attempt.steps == [("one", "passed", 0), ("two", "failed", None)]
        assert attempt.processes == []

    await at_some_pace(trial)


async def test_a_step_with_a_terminal(bench: Bench) -> None:
    """All three descriptors are it, it is the session's own, and what is written arrives unchanged."""
    attempt = bench.attempt(
        steps=(
            step("tty", "test -t 0 -a -t 1 -a -t 2 && stty size && echo err >&2 && echo own > /dev/tty", pty=True),
            step("none", "tty || true"),
        )
    )  # fmt: skip
    assert (await bench.carry(attempt)).outcome.state == "passed"
    assert attempt.stdout == b"40 120\nerr\nown\nnot a tty\n"
    assert attempt.stderr == b""


async def test_nobody_keeps_a_terminal(bench: Bench) -> None:
    """Who stays in the background with it is killed like whoever keeps a pipe, and the step ends."""
    stays = "setsid sh -c 'trap \"\" HUP; touch stays; sleep 1000' &"
    attempt = bench.attempt(
        steps=(step("tty", f"{stays} until test -e stays; do sleep 0.01; done; echo end", pty=True),)
    )
    assert (await bench.carry(attempt)).outcome.state == "passed"
    assert attempt.stdout == b"end\n"
    assert attempt.processes == []
    assert "processes in the background kept the step's output open and were killed" in attempt.system


async def test_secrets_are_masked_on_a_terminal(bench: Bench) -> None:
    """As in a pipe."""
    attempt = bench.attempt(steps=(step("tty", "echo $TOKEN", pty=True),), secrets=("TOKEN",))
    await bench.carry(attempt, {"TOKEN": "hunter2-hunter2"})
    assert attempt.stdout == b"***\n"


async def test_background_processes_serve_until_a_step_is_ended(bench: Bench) -> None:
    """A step that is over in time leaves them alone."""
    attempt = bench.attempt(
        "sleep 1000 >/dev/null 2>&1 & echo $! > service",
        steps=(step("quick", "kill -0 $(cat service) && echo serves", timeout_s=60),),
        idle_timeout_s=60,
    )
    await bench.carry(attempt)
    assert attempt.stdout == b"serves\n"
    await until(lambda: attempt.processes == [])
