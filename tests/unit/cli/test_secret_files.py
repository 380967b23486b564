"""Secrets for `tailrace exec`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tailrace.cli.client import CallFailed
from tailrace.cli.secret_files import read_secrets


def read(folder: Path, text: str) -> dict[str, str]:
    file = folder / "secrets"
    file.write_bytes(text.encode())
    return read_secrets([], [file]).values


def test_a_line_is_a_name_and_a_value(tmp_path: Path) -> None:
    """Comments and empty lines say nothing; what a shell could source is understood."""
    assert read(tmp_path, "# ours\n\nONE=first value \r\nexport TWO=a=b\n THREE =x y z#\n") == {
        "ONE": "first value ",
        "TWO": "a=b",
        "THREE": "x y z#",
    }


def test_quotes_hold_what_a_line_cannot(tmp_path: Path) -> None:
    """Double quotes have JSON's escapes, single quotes none."""
    found = read(tmp_path, "KEY=\"-----BEGIN\\nabc\\n\"\nRAW='a\\nb\"'\nTAIL=it's\n")
    assert found == {"KEY": "-----BEGIN\nabc\n", "RAW": 'a\\nb"', "TAIL": "it's"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ONE=x\nhush-hush\n", "line 2 is not NAME=VALUE"),
        ("TAILRACE_X=hush-hush", "line 1 is not NAME=VALUE"),
        ('ONE="hush-hush', "no JSON string"),
        ("ONE=", "secret ONE: the secret's value is empty"),
    ],
)
def test_what_is_none_is_named_and_not_quoted(tmp_path: Path, text: str, words: str) -> None:
    """A message may end up in a log."""
    with pytest.raises(CallFailed) as caught:
        read(tmp_path, text)
    assert words in str(caught.value)
    assert "hush" not in str(caught.value)


def test_the_environment_gives_those_that_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value in the arguments is refused, and not repeated."""
    monkeypatch.setenv("ONE", "hush-hush")
    assert read_secrets(["ONE"], []).values == {"ONE": "hush-hush"}
    with pytest.raises(CallFailed, match="--secret TWO: expected the name of a variable") as caught:
        read_secrets(["TWO=be-still"], [])
    assert "be-still" not in str(caught.value)


def test_what_masking_cannot_hide_is_told(tmp_path: Path) -> None:
    """As when a server keeps it."""
    (tmp_path / "secrets").write_text("PIN=1234\n")
    assert read_secrets([], [tmp_path / "secrets"]).warnings == [
        "secret PIN: it has fewer than 6 characters: it is not masked"
    ]
