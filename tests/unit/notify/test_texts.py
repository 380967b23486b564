"""What a message says."""

from __future__ import annotations

from tailrace.domain.notifications import What
from tailrace.domain.states import AttemptState
from tailrace.notify.texts import Occasion, failure_of, write_message
from tailrace.store.runs import get_run
from tests.unit.notify.world import URL, World


async def test_a_failure_in_tailraces_own_words(world: World) -> None:
    """Which run, which commit, where in it, why, and its address; the log's end apart."""
    run = await world.store.read(get_run, await world.run(AttemptState.FAILED))
    said = write_message(run, Occasion("tr-1-1", What.FAILED, None, 1, "boom"), URL, None)
    assert (said.subject, said.lines) == ("shop #1 failed (main)", "boom")
    assert said.text.splitlines() == [
        "shop #1 failed (main)",
        "aaaaaaaaaaaa Fix it (Ada)",
        "plan default, job test, step make",
        "exit_code: job test: make ended with 2",
        f"{URL}/runs/{run.id}",
    ]


async def test_a_wait_says_for_what(world: World) -> None:
    """Its own sentence, and no reason of an end."""
    run = await world.store.read(get_run, await world.run(AttemptState.FAILED))
    occasion = Occasion("tr-1-1", What.WAITING, "job deploy waits for production", 1, "")
    said = write_message(run, occasion, URL, None).text.splitlines()
    assert said[0] == "shop #1 waits for approval (main)"
    assert said[3] == "job deploy waits for production"


async def test_a_long_title_with_line_breaks_is_one_line(world: World) -> None:
    """Nobody's commit writes lines of ours."""
    run = await world.store.read(
        get_run, await world.run(AttemptState.PASSED, title="a\nshop #1 passed\n" + "x" * 999)
    )
    said = write_message(run, Occasion("tr-1-1", What.RECOVERED, None, 1, ""), URL, None)
    assert said.subject == "shop #1 passed again (main)"
    lines = said.text.splitlines()
    assert len(lines) == 4
    assert lines[1].startswith("aaaaaaaaaaaa a shop #1 passed xxx")
    assert len(lines[1]) < 250


async def test_a_failure_that_is_allowed_is_not_the_one_that_is_told(world: World) -> None:
    """Though it came first."""
    run = await world.store.read(get_run, await world.run(AttemptState.FAILED))
    (test,) = run.jobs
    lint = test.model_copy(
        update={"id": test.id - 1, "name": "lint", "finished_at": 1, "allow_failure": True}
    )
    both = run.model_copy(update={"jobs": (lint, test)})
    found = failure_of(both)
    assert found is not None
    assert found.job == test
    said = write_message(both, Occasion("tr-1-1", What.FAILED, None, 1, ""), URL, None)
    assert "job test, step make" in said.text
    assert failure_of(run.model_copy(update={"jobs": (lint,)})) is None
