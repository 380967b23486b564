from __future__ import annotations

import hashlib
import socket
from pathlib import Path

import pytest

from benchmarks.bare import carry_all
from benchmarks.no_op import make_repository
from benchmarks.output_100mb import LINE, hash_of_lines
from benchmarks.watchers import Watcher


def stamped(pieces: list[bytes]) -> tuple[list[int], list[bool]]:
    """What a watcher makes of these pieces, all received at 2,000,000,000,000,000,000 ns."""
    with socket.socket() as line:
        watcher = Watcher(line)
        going = [watcher.take(piece, 2 * 10**18) for piece in pieces]
        assert watcher.size == sum(map(len, pieces))
        return watcher.late_ns, going


@pytest.mark.parametrize("cut", range(1, 60))
def test_a_watcher_finds_every_stamp_once_wherever_the_bytes_were_cut(cut: int) -> None:
    text = b'data: {"text":"@1999999999999999990;\\n@1999999999999999999;\\n"}\n\n'
    late, going = stamped([text[:cut], text[cut:]])
    assert late == [10, 1]
    assert going == [True, True]


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_watcher_ends_at_the_end_of_the_log_or_of_the_connection(cut: int) -> None:
    end = b"event: end\n\n"
    assert False in stamped([b"data: x\n\n" + end[:cut], end[cut:]])[1]
    assert stamped([end])[1] == [False]
    assert stamped([b"@1", b""])[1] == [True, False]


def test_the_hash_is_that_of_the_lines() -> None:
    size = 2_345_678
    text = f"{LINE}\n".encode() * (size // 100 + 1)
    assert hash_of_lines(size) == hashlib.sha256(text[:size]).hexdigest()


async def test_the_baseline_does_the_job_and_leaves_nothing(tmp_path: Path) -> None:
    source = make_repository(tmp_path / "repository")
    work = tmp_path / "work"
    work.mkdir()
    assert await carry_all(work, 3, 2, source) > 0
    assert list(work.iterdir()) == []


async def test_the_baseline_fails_where_git_fails(tmp_path: Path) -> None:
    repository, _ = make_repository(tmp_path / "repository")
    with pytest.raises(ExceptionGroup) as caught:
        await carry_all(tmp_path, 1, 1, (repository, "0" * 40))
    assert caught.group_contains(RuntimeError, match="git ended with 128")
