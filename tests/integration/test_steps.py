"""Steps and jobs that decide, give and clear up, on a real server with a real agent."""

from __future__ import annotations

from tests.support.house import House

PLAN = """
jobs:
  build:
    checkout: false
    outputs: {tag: "${steps.make.outputs.tag}"}
    steps:
      - id: make
        run: echo "tag=v$(( 6 * 7 ))" >> "$TAILRACE_OUTPUT"
  deploy:
    needs: build
    checkout: false
    if: needs.build.outputs.tag == "v42" and event == "manual" and variables.TO != "nowhere"
    steps:
      - run: printf "deploying $TAG to $TO"
        env: {TAG: "${needs.build.outputs.tag}", TO: "${variables.TO}"}
  break:
    needs: deploy
    checkout: false
    steps:
      - run: exit 3
    finally:
      - run: printf cleared
  never:
    needs: break
    checkout: false
    steps: [{run: echo never}]
  tell:
    needs: never
    if: failure
    checkout: false
    steps: [{run: printf told}]
  praise:
    needs: deploy
    if: always and needs.deploy.outcome != "passed"
    checkout: false
    steps: [{run: echo never}]
"""


def test_jobs_decide_by_what_others_gave_and_how_they_ended(home: House) -> None:
    """Outputs travel from a runner through the server to another; conditions are decided on both."""
    run = home.run(home.plan(PLAN), variables={"TO": "production"})
    ended = home.wait_state(run, "failed")
    assert ended["detail"] == "job break: step 'exit 3' ended with exit code 3"
    jobs = {job["name"]: job for job in ended["jobs"]}
    assert {name: job["state"] for name, job in jobs.items()} == {
        "build": "passed",
        "deploy": "passed",
        "break": "failed",
        "never": "skipped",
        "tell": "passed",
        "praise": "skipped",
    }
    assert jobs["build"]["attempts"][0]["outputs"] == {"tag": "v42"}
    assert jobs["deploy"]["attempts"][0]["outputs"] == {}
    assert jobs["praise"]["reason"] == "condition_not_met"
    for number, said in ((1, b"deploying v42 to production"), (2, b"cleared"), (4, b"told")):
        assert home.output(home.wait_log(run, number)["log"]) == said


def test_two_aborts_end_what_one_lets_go_on(home: House) -> None:
    """The steps of `finally` come after the first, and end with the second."""
    steps = "steps: [{run: echo ready; sleep 1000}], finally: [{run: echo last; sleep 1000}]"
    run = home.run(home.plan(f"jobs: {{a: {{checkout: false, {steps}}}}}"))
    home.wait_output(run, b"ready")
    home.post(f"/api/runs/{run}/abort")
    home.wait_output(run, b"last")
    assert home.show(run)["state"] == "running"
    home.post(f"/api/runs/{run}/abort")
    home.wait_state(run, "aborted")
    assert [step["state"] for step in home.attempt(run)["steps"]] == ["aborted", "aborted"]
