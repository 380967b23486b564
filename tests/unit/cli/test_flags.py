"""Flags are settings: the same names, the same words, and none is missing."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_type_hints

import pytest

from tailrace.cli.flags import AgentFlags, ClientFlags, ServerFlags
from tailrace.settings import AgentSettings, ClientSettings, ServerSettings

PAIRS: list[tuple[type[Any], type[Any]]] = [
    (ServerFlags, ServerSettings),
    (AgentFlags, AgentSettings),
    (ClientFlags, ClientSettings),
]


@pytest.mark.parametrize(("flags", "settings"), PAIRS)
def test_every_setting_has_its_flag(flags: type[Any], settings: type[Any]) -> None:
    """A setting that only the environment could give would be one that nobody finds."""
    assert {field.name for field in fields(flags)} == set(settings.model_fields)


@pytest.mark.parametrize(("flags", "settings"), PAIRS)
def test_a_flag_is_explained_in_the_settings_words(flags: type[Any], settings: type[Any]) -> None:
    """One explanation, wherever a person reads it."""
    for name, hint in get_type_hints(flags, include_extras=True).items():
        (parameter,) = hint.__metadata__
        assert parameter.help.startswith(settings.model_fields[name].description), name
