from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable, Generator
from pathlib import Path

import pytest

from tailrace.runner.warm import WarmParent
from tests.support.folders import remove
from tests.unit.runner.bench import PATIENCE_S, Bench


@pytest.fixture(scope="session")
def agent_folder() -> Generator[Path, None, None]:
    """A folder whose warm parent lives as long as the session: each test connects as a new agent."""
    folder = Path(tempfile.mkdtemp(prefix="tailrace-agent-"))
    holder = subprocess.Popen(
        (sys.executable, "-c", _HOLDER, str(folder)), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"ready\n"
    yield folder
    holder.stdin.close()
    holder.wait()
    holder.stdout.close()
    remove(folder)


_HOLDER = """
import asyncio, sys
from pathlib import Path
from tailrace.runner.warm import WarmParent

async def hold() -> None:
    warm = WarmParent(Path(sys.argv[1]))
    await warm.ensure()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await warm.close(leave=True)

asyncio.run(hold())
"""


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks a runner or a warm parent for something waits for as long as it takes on a busy machine."""
    monkeypatch.setattr("tailrace.runner.command.PATIENCE_S", PATIENCE_S)
    monkeypatch.setattr("tailrace.runner.warm.START_PATIENCE_S", PATIENCE_S)
    monkeypatch.setattr("tailrace.runner.warm.ANSWER_PATIENCE_S", PATIENCE_S)


@pytest.fixture
async def bench(agent_folder: Path) -> AsyncGenerator[Bench, None]:
    """A bench with a living warm parent."""
    warm = WarmParent(agent_folder)
    bench = Bench(agent_folder, warm)
    yield bench
    bench.clear()
    await warm.close(leave=False)


@pytest.fixture
async def bench_in() -> AsyncGenerator[Callable[[Path], Bench], None]:
    """Makes benches in folders, each with a warm parent of its own that starts when it is needed."""
    made: list[Bench] = []

    def make(folder: Path) -> Bench:
        made.append(Bench(folder, WarmParent(folder)))
        return made[-1]

    yield make
    for bench in made:
        bench.clear()
        await bench.warm.close(leave=True)


@pytest.fixture
def own(tmp_path: Path, bench_in: Callable[[Path], Bench]) -> Bench:
    """A bench whose warm parent is this test's alone."""
    return bench_in(tmp_path)
