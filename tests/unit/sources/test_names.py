"""What counts as a name in git is what git says."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tailrace.sources.names import is_abbreviation, is_hash, is_null, is_ref_name, short_name


@settings(max_examples=60)  # each starts a git
@given(st.text(st.sampled_from("ab/.-@{~^:?*[\\ é\n") | st.characters(), min_size=1, max_size=12))
@example("a.lock")
@example("a.lock/b")
@example("a/.b")
@example("a..b")
@example("feature/größer")
@example("@")
def test_nothing_passes_that_git_refuses_in_a_branch(name: str) -> None:
    if is_ref_name(name):
        argument = f"refs/heads/{name}".encode()
        assert subprocess.run(["git", "check-ref-format", argument]).returncode == 0
        assert not name.startswith("-")


@pytest.mark.parametrize(
    "name", ["main", "release/1.x", "größer/水", "a@b", "refs/pull/7/head", "v1.0-rc.1", "#1", "a'b"]
)
def test_ordinary_names_pass(name: str) -> None:
    assert is_ref_name(name)


@pytest.mark.parametrize(
    "name", ["", "-x", "--upload-pack=x", "a b", "main~1", "main^", "a:b", "a\0b", "x" * 1001, "/a"]
)
def test_names_that_git_would_read_otherwise_do_not_pass(name: str) -> None:
    assert not is_ref_name(name)


def test_hashes() -> None:
    assert is_hash("a" * 40)
    assert is_hash("0" * 64)
    assert not any(is_hash(text) for text in ("a" * 39, "a" * 41, "A" * 40, "g" * 40, "a" * 40 + "\n", ""))
    assert is_abbreviation("abcd")
    assert not any(is_abbreviation(text) for text in ("abc", "abcx", "-abc", "a" * 64))
    assert is_null("0" * 40)
    assert not is_null("0" * 39 + "1")


def test_short_names() -> None:
    assert short_name("refs/heads/a/b") == "a/b"
    assert short_name("refs/tags/v1") == "v1"
    assert short_name("refs/pull/7/head") is None
