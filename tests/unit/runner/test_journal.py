from __future__ import annotations

import resource
from pathlib import Path

import pytest

from tailrace.domain.facts import Started, StepBegan
from tailrace.runner.folder import AttemptFolder
from tailrace.runner.journal import JournalReader, JournalWriter

FACTS = [Started(time=1), StepBegan(time=2, step=0, name="one"), StepBegan(time=3, step=1, name="zwei\nдва")]


def test_a_reader_follows_a_writer(tmp_path: Path) -> None:
    """Each read gives the facts from an index on; a journal that does not exist yet has none."""
    folder = AttemptFolder(tmp_path)
    reader = JournalReader(folder)
    assert reader.read(0) == []
    writer = JournalWriter.open(folder)
    for count, fact in enumerate(FACTS):
        writer.write(fact)
        assert reader.read(count) == [fact]
    assert reader.read(0) == FACTS
    assert reader.read(3) == []
    writer.close()


def test_a_torn_line_is_not_read_and_is_cut_off(tmp_path: Path) -> None:
    """A crash in mid-write leaves a part of a line: no reader sees it, the next writer removes it."""
    folder = AttemptFolder(tmp_path)
    writer = JournalWriter.open(folder)
    writer.write(FACTS[0])
    writer.close()
    with folder.journal.open("ab") as journal:
        journal.write(b'{"kind":"step_b')
    reader = JournalReader(folder)
    assert reader.read(0) == FACTS[:1]
    writer = JournalWriter.open(folder)
    writer.write(FACTS[1])
    writer.close()
    assert reader.read(0) == FACTS[:2]
    assert JournalReader(folder).read(0) == FACTS[:2]


def test_a_fact_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """Without room the journal stays as it was and the writer hears of it."""
    folder = AttemptFolder(tmp_path)
    writer = JournalWriter.open(folder)
    writer.write(FACTS[0])
    size = folder.journal.stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 5, hard))
    try:
        with pytest.raises(OSError):
            writer.write(FACTS[1])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert folder.journal.stat().st_size == size
    writer.write(FACTS[1])
    writer.close()
    assert JournalReader(folder).read(0) == FACTS[:2]
