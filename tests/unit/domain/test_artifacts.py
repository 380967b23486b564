"""Paths of artifacts stay below their folder, whatever unpacks them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tailrace.domain.artifacts import MAX_PATH_BYTES, FileSpec, fault_of_path


@pytest.mark.parametrize("path", ["a", "dist/app.whl", ".hidden/x", "a b/ü 水", "...", "a/..b", "C:x"])
def test_a_path_below_a_folder(path: str) -> None:
    assert fault_of_path(path) is None


@pytest.mark.parametrize(
    "path",
    ["", "/", "/a", "..", "../a", "a/../b", "a/..", ".", "./a", "a/./b", "a//b", "a/", "a\\b", "..\\a", "a\0b",
     "a\nb", "a\x7f", "\udcff", "x" * (MAX_PATH_BYTES + 1), "水" * MAX_PATH_BYTES],
)  # fmt: skip
def test_a_path_that_is_refused(path: str) -> None:
    assert fault_of_path(path)
    with pytest.raises(ValidationError):
        FileSpec(path=path, size=0, sha256="0" * 64)


@given(st.lists(st.sampled_from(["a", "b", ".", "..", "", "\\", "/"]), max_size=6).map("/".join))
def test_no_path_that_is_let_through_leaves_its_folder(path: str) -> None:
    """By the arithmetic of any system: no step up, no step to a root."""
    if fault_of_path(path) is None:
        depth = 0
        for part in path.replace("\\", "/").split("/"):
            depth += {"..": -1, ".": 0, "": -100}.get(part, 1)
            assert depth > 0
