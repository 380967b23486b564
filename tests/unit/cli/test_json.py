"""Whoever calls a command from a script can have its answer as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from inspect import signature

from cyclopts import App

from tailrace.cli.main import app

WITHOUT = {
    "up": "it runs until it is ended",
    "server": "it runs until it is ended",
    "agent": "it runs until it is ended",
    "exec": "it shows the output of jobs as it comes; its exit status is what came of them",
    "completion": "it prints a script for a shell",
    "plan schema": "what it prints is JSON already",
}


def commands(group: App, before: str = "") -> Iterator[tuple[str, Callable[..., object]]]:
    """Every command with its whole name, those of groups too."""
    for name in group:
        if name.startswith("-"):
            continue
        inner = group[name]
        whole = f"{before}{name}"
        if inner.default_command is not None:
            yield whole, inner.default_command
        yield from commands(inner, f"{whole} ")


def test_every_command_has_json_or_a_reason_to_have_none() -> None:
    """A flag that most have and some refuse is one that nobody can rely on."""
    found = dict(commands(app))
    assert {name for name, command in found.items() if "json" not in _flags(command)} == WITHOUT.keys()
    assert {"agents pause", "labels unprotect", "queue resume", "secret remove", "login-link"} <= found.keys()


def _flags(command: Callable[..., object]) -> set[str]:
    """The names of its parameters, and of those that stand together in a value such as `LogFlags`."""
    given = signature(command).parameters
    together = (getattr(one.default, "__dataclass_fields__", {}) for one in given.values())
    return {*given, *(name for fields in together for name in fields)}
