"""An agent that takes work of some projects only needs no trust in its server for that."""

from __future__ import annotations

from pathlib import Path

from tailrace.domain.outcome import Reason
from tailrace.domain.states import AttemptState
from tests.unit.agent.bench import Bench
from tests.unit.agent.peer import Peer, lease_of, until


async def test_work_of_another_project_ends_before_it_begins(peer: Peer, tmp_path: Path) -> None:
    """The reason names both; work of its own project is done; the server was told at hello."""
    witness = tmp_path / "witness"
    own = lease_of(1, f"touch {witness}")
    async with Bench(tmp_path / "agent", peer, projects=("other", own.project)):
        assert peer.hellos[-1].projects == ("other", own.project)
        held = await peer.lease(lease_of(2, f"touch {witness}").model_copy(update={"project": "strange"}))
        await until(lambda: held.finished is not None, "the strange attempt to end")
        assert held.finished is not None
        outcome = held.finished.outcome
        assert (outcome.state, outcome.reason) == (AttemptState.FAILED, Reason.SETUP_FAILED)
        assert (
            outcome.detail == f"this agent takes work of other, {own.project}, and was given some of strange"
        )
        assert not witness.exists()
        mine = await peer.lease(own)
        await until(lambda: mine.complete, "its own attempt to end")
        assert mine.finished is not None
        assert mine.finished.outcome.state is AttemptState.PASSED
        assert witness.exists()
