"""Everything is killed at random moments: every log is equal, every job has one outcome, nothing is left."""

from __future__ import annotations

import os
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chaos import known_output as program
from tests.chaos.known_output import known_output
from tests.chaos.storm import Storm, left_processes
from tests.support.house import ENDED, House
from tests.support.waiting import wait_for

AGAIN = ("runner_died", "agent_lost")
NAMES = ("first", "second", "third", "last")
LONG = (pytest.mark.long,)


def plan(starts: Path) -> str:
    """Four jobs, one of which waits for the others; each notes its start beside what it writes."""
    line = (
        f'echo $TAILRACE_ATTEMPT >> "{starts}/$TAILRACE_RUN_ID-$TAILRACE_JOB";'
        f' exec {sys.executable} -S {program.__file__} "$TAILRACE_RUN_ID-$TAILRACE_JOB-$TAILRACE_ATTEMPT"'
    )
    job: dict[str, Any] = {
        "checkout": False,
        "retry": {"max": 10, "on": list(AGAIN)},
        "steps": [{"run": line}],
    }
    jobs = dict.fromkeys(NAMES[:-1], job) | {NAMES[-1]: {**job, "needs": list(NAMES[:-1])}}
    return yaml.safe_dump({"jobs": jobs})


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("jobs", "lease_s", "away_s"),
    [
        pytest.param(20, 120, 1, id="20 jobs"),
        pytest.param(200, 30, 1, id="200 jobs", marks=LONG),
        pytest.param(200, 2, 6, id="200 jobs and agents that stay away too long", marks=LONG),
    ],
)
def test_whoever_is_killed_every_log_is_equal_and_nothing_is_left(
    tmp_path: Path, jobs: int, lease_s: int, away_s: float
) -> None:
    """kill -9 of server, agents, warm parents and runners at random moments; TAILRACE_CHAOS_SEED repeats the choices.

    With few jobs the choices are the same each time, though not their moments.
    """
    seed = os.environ.get("TAILRACE_CHAOS_SEED") or str(
        random.SystemRandom().randrange(10**9) if jobs > 20 else 1
    )
    print(f"TAILRACE_CHAOS_SEED={seed}")
    chance = random.Random(seed)
    starts, temporary = tmp_path / "starts", tmp_path / "temporary"
    starts.mkdir()
    temporary.mkdir()
    settings = {"TMPDIR": str(temporary), "TAILRACE_CAPACITY": "3", "TAILRACE_LEASE_S": str(lease_s)}
    with House(tmp_path, **settings) as house:
        storm = Storm(house, chance, away_s)
        wish = house.plan(plan(starts))
        runs = {house.run(wish) for _ in range(jobs // len(NAMES))}
        for _ in range(2 * jobs):
            if storm.ended(runs, ENDED):
                break
            storm.strike()
            time.sleep(chance.uniform(0.02, 0.6))  # no wait for anything: the moment is what is tried
        while not all(storm.struck.values()):
            if storm.ended(runs, ENDED):
                runs.add(house.run(wish))
            storm.strike()
            time.sleep(0.1)
        storm.end()
        print(f"struck {storm.struck}")
        reasons: Counter[str] = Counter()
        for run in sorted(runs):
            house.wait_state(run, "passed", seconds=300)
            reasons += assert_whole(house, run, starts, away=away_s > lease_s)
        print(f"attempts that were not the last: {dict(reasons)}")
        assert reasons["runner_died"]
        assert (reasons["agent_lost"] > 0) == (away_s > lease_s)
        wait_for(lambda: not storm.attempts, "the attempts' folders to be gone")
        left = left_processes(f"TAILRACE_WORKSPACE={tmp_path}")
        assert not left, left
    wait_for(lambda: not left_processes(str(tmp_path)), "every process to be gone", 30)
    assert not list(temporary.iterdir()), "temporary files are left"


def assert_whole(house: House, run: int, starts: Path, *, away: bool) -> Counter[str]:
    """Each job has one outcome, each attempt was begun once, and each log is what was written, as far as it came.

    `away`: agents may have stayed away for longer than a lease before the server heard that they had begun.
    Returns why attempts ended that were not the last of their job.
    """
    reasons: Counter[str] = Counter()
    for index, job in enumerate(house.show(run)["jobs"]):
        assert job["state"] == "passed"
        begun = Counter((starts / f"{run}-{job['name']}").read_text().split())
        again = {number for number, times in begun.items() if times > 1}
        assert not again or away, f"attempts {again} of job {job['name']} of run {run} were begun twice"
        *before, last = job["attempts"]
        assert [one["number"] for one in job["attempts"]] == list(range(1, len(before) + 2))
        assert last["state"] == "passed"
        reasons += Counter(one["reason"] for one in before)
        for one in job["attempts"]:
            state = wait_for(
                lambda one=one, index=index: log_state(house, run, index, one["number"]), "its log"
            )
            output = house.output(one["log"], "stdout")
            known = known_output(f"{run}-{job['name']}-{one['number']}")
            if one is last:
                assert output == known
            else:
                assert known.startswith(output)
            assert (state == "truncated") <= (one["reason"] == "agent_lost")
    return reasons


def log_state(house: House, run: int, job: int, number: int) -> str | None:
    """That of an attempt's log, once it is not open."""
    state = house.show(run)["jobs"][job]["attempts"][number - 1]["log_state"]
    return None if state == "open" else state
