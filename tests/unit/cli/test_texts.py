"""What strangers wrote, in a table and on lines."""

from __future__ import annotations

import json
import os
import pty
import sys
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.cli.client import show, tell
from tailrace.cli.texts import print_fields, print_table, tame, tame_lines
from tailrace.domain.columns import columns


@pytest.mark.parametrize(
    "title", ["[/b] please approve", "[bold]x", ":smile:", "[link=https://x.org]a[/link]"]
)
def test_nothing_is_markup(title: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A commit's title is shown as it is."""
    show([{"id": 1, "title": title}], as_json=False, columns={"ID": "id", "TITLE": "title"})
    assert capsys.readouterr().out == f"ID  TITLE\n1   {title}\n"


def test_what_a_terminal_would_obey_is_an_escape(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither a sequence, nor a new line in a table, nor text that runs backwards."""
    title = "a\x1b]0;owned\x07b\nPASSED\r\u202ec\x9b1m"
    seen = r"a\x1b]0;owned\x07b\nPASSED\r\u202ec\x9b1m"
    show([{"title": title}], as_json=False, columns={"TITLE": "title"})
    assert capsys.readouterr().out == f"TITLE\n{seen}\n"
    print_fields({"title": title, "none": None})
    assert capsys.readouterr().out == f"title         {seen}\n"
    tell({}, as_json=False, plain=title)
    assert capsys.readouterr().out == seen.replace(r"\n", "\n") + "\n"
    assert tame_lines("a\n\tb\x00") == "a\n\tb\\x00"


def test_json_stays_json(capsys: pytest.CaptureFixture[str]) -> None:
    """With its own escapes."""
    value = {"title": "水 \x1b\x7f\x9b\u202e\ud800 \n"}
    tell(value, as_json=True)
    out = capsys.readouterr().out
    assert json.loads(out) == value
    assert tame_lines(out) == out


@given(st.text())
def test_any_text_can_be_printed(text: str) -> None:
    """On one line, in UTF-8."""
    assert "\n" not in tame(text)
    tame(text).encode()


def test_columns_are_whole_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    """Piped, a line is a row, however long; wide characters take two columns."""
    detail = "word " * 100 + "end"
    print_table(["水水", "N", "DETAIL"], [["a", "b" * 90, detail], ["cc", "", ""]])
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["水水  N" + " " * 91 + "DETAIL", "a     " + "b" * 90 + "  " + detail, "cc"]


def test_a_terminal_folds_the_last_column(monkeypatch: pytest.MonkeyPatch) -> None:
    """And cuts nothing; the other columns stay whole."""
    monkeypatch.setenv("COLUMNS", "40")
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as terminal, monkeypatch.context() as context:
        context.setattr(sys, "stdout", terminal)
        print_table(["NEXT", "DETAIL"], [["2026-11-21T17:00", "cannot be read: " + "水" * 20 + " z"]])
    shown = b""
    with suppress(OSError):  # how a terminal ends that nobody writes to any more
        while part := os.read(master, 4096):
            shown += part
    os.close(master)
    head, *rows = shown.decode().splitlines()
    assert head == "\x1b[1mNEXT" + " " * 14 + "DETAIL\x1b[0m"
    assert rows == [
        "2026-11-21T17:00  cannot be read:",
        " " * 18 + "水" * 11,
        " " * 18 + "水" * 9 + " z",
    ]
    assert all(sum(map(columns, row)) <= 40 for row in rows)
