"""The flags of `tailrace logs`: what is documented, what contradicts itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tailrace.cli.client import CallFailed
from tailrace.cli.log_arguments import longest_pause, read_wish
from tailrace.cli.log_wish import line_pattern
from tailrace.cli.logs import LogFlags
from tailrace.cli.main import app
from tailrace.domain.spans import Stream

PAGE = (Path(__file__).parents[3] / "docs" / "commands.md").read_text()


def test_every_flag_is_on_the_page_of_commands() -> None:
    """And none that there is not."""
    arguments = app["logs"].assemble_argument_collection()
    flags = {name for argument in arguments for name in argument.names if name.startswith("--")}
    flags -= {"--server", "--token", "--data-dir"}
    section = PAGE.split("## tailrace logs")[1].split("### ")[0]
    described = set(re.findall(r"`(--[a-z-]+)", section.split("| flag | |")[1].split("\n\n")[0]))
    assert described >= flags - {"--ignore-case"}
    assert described <= flags


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"start": 1, "tail": 1}, "--from and --tail"),
        ({"tail": 1, "since": "1m"}, "--tail and --since"),
        ({"raw": True, "json": True}, "--raw and --json"),
        ({"timestamps": True, "settled": True}, "--timestamps and --settled"),
        ({"raw": True, "grep": "x"}, "--raw and --grep"),
        ({"stream": ("stdout,err",)}, "--stream 'err'"),
        ({"start": -1}, "--from -1"),
        ({"until": "soon"}, "--until 'soon'"),
    ],
)
def test_what_contradicts_itself_is_refused(flags: dict[str, Any], words: str) -> None:
    """By name, before anything is asked of a server."""
    with pytest.raises(CallFailed, match=words):
        read_wish(LogFlags(**flags))


def test_what_is_wrong_with_a_pattern_is_said_in_words() -> None:
    """As RE2 says it; it says it in bytes."""
    with pytest.raises(CallFailed) as refused:
        line_pattern("[", ignore_case=False)
    assert str(refused.value) == "--grep '[' is no regular expression (RE2): missing ]: ["


def test_streams_are_named_with_commas_or_again() -> None:
    """None given: which ones depends on the form of the output."""
    both = {Stream.STDOUT, Stream.STDERR}
    assert read_wish(LogFlags(stream=("stdout,stderr",))).streams == both
    assert read_wish(LogFlags(stream=("stdout", "stderr"))).streams == both
    assert read_wish(LogFlags()).streams is None


def test_the_pace_of_a_replay() -> None:
    """A speed above 0, and a pause in the usual words."""
    assert longest_pause(True, 2, "1m") == 60
    assert longest_pause(True, 0.5, None) is None
    for replay, speed, pause in ((False, 2, None), (False, 1, "1s"), (True, 0, None), (True, 1, "long")):
        with pytest.raises(CallFailed, match=r"--speed|--max-pause"):
            longest_pause(replay, speed, pause)
