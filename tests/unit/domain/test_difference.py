"""A difference is what `patch` makes the one text the other with."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tailrace.domain.difference import MAX_COMPARED, unified


def test_texts_that_are_the_same_do_not_differ() -> None:
    assert unified("a\n", "a\n", "1", "2") == ""


def test_a_difference_reads_as_usual() -> None:
    assert unified("a\nb\nc", "a\nB\nc\n", "version 1", "version 2") == (
        "--- version 1\n+++ version 2\n@@ -1,3 +1,3 @@\n a\n-b\n-c\n\\ No newline at end of file\n+B\n+c\n"
    )


LONG = [f"line {number}" for number in range(MAX_COMPARED + 500)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["a", "b", "c"], ["a", "x", "c"]),
        ([], ["a"]),
        (["a"], []),
        (["head", *LONG, "tail"], ["head", *reversed(LONG), "tail"]),
        (["head", "tail"], ["head", *LONG, "tail"]),
    ],
)
def test_patch_understands_it(tmp_path: Path, before: list[str], after: list[str]) -> None:
    """Also of texts that are too long to be compared line by line."""
    old, new = ("".join(f"{line}\n" for line in lines) for lines in (before, after))
    (tmp_path / "file").write_text(old)
    diff = unified(old, new, "file", "file")
    subprocess.run(["patch", "--unified", "file"], cwd=tmp_path, input=diff, text=True, check=True)
    left = tmp_path / "file"
    assert (left.read_text() if left.exists() else "") == new
